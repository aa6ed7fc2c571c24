/**
 * Why a model has no such view: the package's own sentence. Undefined where it has; what else goes wrong is told where the view is shown.
 * @param {() => unknown} ask
 * @returns {Promise<string | undefined>}
 */
export async function refusal(ask) {
  try {
    await ask();
  } catch (error) {
    const { code, message } = /** @type {Error & {code?: string}} */ (error);
    if (code === 'unsupported-view') return message[0].toUpperCase() + message.slice(1);
  }
  return undefined;
}
