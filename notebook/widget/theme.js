/** Light or dark, as the front end is; where it does not say, as the system. */

/** @returns {'light' | 'dark' | undefined} */
function theme() {
  const { body, documentElement: root } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === 'true' ? 'light' : 'dark'; // JupyterLab, Notebook 7
  if (root.getAttribute('theme')) return root.getAttribute('theme') === 'dark' ? 'dark' : 'light'; // Colab
  const classes = [...body.classList, ...root.classList];
  if (classes.some((name) => /^(vscode-dark|vscode-high-contrast|dark|dark-theme)$/.test(name))) return 'dark'; // VS Code, marimo
  if (classes.some((name) => /^(vscode-light|vscode-high-contrast-light|light|light-theme)$/.test(name))) return 'light';
  return undefined;
}

/**
 * @param {(theme: 'light' | 'dark' | undefined) => void} told now, and of every change
 * @param {AbortSignal} signal
 */
export function followTheme(told, signal) {
  let last = theme();
  told(last);
  const observer = new MutationObserver(() => {
    if (theme() !== last) told((last = theme()));
  });
  for (const place of [document.body, document.documentElement]) observer.observe(place, { attributes: true, attributeFilter: ['class', 'theme', 'data-jp-theme-light'] });
  signal.addEventListener('abort', () => observer.disconnect());
}
