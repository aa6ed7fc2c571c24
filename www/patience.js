/** How long nothing may happen before it is said. */
const PATIENCE = 20_000;

/**
 * Watches over something that may never end: servers stall, and workers die without a word.
 * @param {ReturnType<typeof import('./panels/notice.js').createNotice>} notice
 * @param {string} what has not come
 * @param {() => import('./panels/notice.js').Remedy[]} remedies
 * @returns {{alive: () => void, over: () => void}} alive: it goes on, so that what was said is taken back
 */
export function patience(notice, what, remedies) {
  let timer = 0;
  let withdraw = () => {};
  const over = () => {
    clearTimeout(timer);
    withdraw();
  };
  const alive = () => {
    over();
    timer = window.setTimeout(() => (withdraw = notice.show(`${what} for ${PATIENCE / 1000} seconds.`, ...remedies())), PATIENCE);
  };
  alive();
  return { alive, over };
}
