/** What a cell shows before the explorer is there: whose, how far, and what is in the way. */

const STYLES = /* css */ `
:host { display: block; padding: 10px 2px; font: 14px/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); }
p { margin: 0; display: flex; gap: 16px; justify-content: space-between; }
span { opacity: 0.7; }
i { display: block; height: 3px; margin: 8px 0; background: color-mix(in srgb, currentColor 16%, transparent); overflow: hidden; }
b { display: block; height: 100%; background: currentColor; opacity: 0.75; transform-origin: 0 0; transform: scaleX(0); transition: transform 0.2s; }
small { font-size: 13px; opacity: 0.7; }
[role=alert] { opacity: 1; }
button { font: inherit; font-size: 13px; color: inherit; background: none; border: 1px solid currentColor; border-radius: 4px; padding: 4px 12px; margin-top: 8px; cursor: pointer; }
[hidden] { display: none; }
`;

/** @typedef {ReturnType<typeof createScreen>} Screen */

/**
 * @param {HTMLElement} root
 * @param {string} title
 */
export function createScreen(root, title) {
  const host = document.createElement('div');
  const inside = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLES);
  inside.adoptedStyleSheets = [sheet];
  inside.innerHTML = '<p role="status"><strong></strong><span></span></p><i role="progressbar" aria-label="Loading"><b></b></i><small></small><div><button hidden>Try again</button></div>';
  const [name, share, track, bar, hint, button] = /** @type {HTMLElement[]} */ (['strong', 'span', 'i', 'b', 'small', 'button'].map((tag) => inside.querySelector(tag)));
  name.textContent = title;
  root.append(host);
  let said = '';

  return {
    /**
     * @param {number} loaded bytes
     * @param {number} total
     */
    progress(loaded, total) {
      share.textContent = `${megabytes(loaded)} of ${megabytes(total)} MB`;
      bar.style.transform = `scaleX(${total ? loaded / total : 0})`;
      track.setAttribute('aria-valuenow', String(Math.round((100 * loaded) / total)));
    },

    /** A sentence below, which stays. @param {string} text */
    hint(text) {
      hint.textContent = said = text;
    },

    /** Another in its place for as long as the kernel is. @param {boolean} late */
    late(late) {
      hint.textContent = late ? 'Waiting for the kernel: it is busy, or not running.' : said;
    },

    /**
     * @param {string} sentence
     * @param {() => void} again
     */
    fail(sentence, again) {
      share.textContent = '';
      track.hidden = true;
      hint.textContent = said = sentence;
      hint.setAttribute('role', 'alert');
      button.hidden = false;
      button.onclick = again;
    },

    remove: () => host.remove(),
  };
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
