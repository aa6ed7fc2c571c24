/** A model as a link names it, and as the explorer's state does: one of the page's by its name, a name on the Hub, a folder on this server. Nothing else is in a link. */
import { OFFERS } from './offers.js';

const ON_HUB = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[^@]+)?$/;

/**
 * @param {string} text `vitscope-tiny`, `org/name`, `/models/other/`
 * @param {URL} page
 * @returns {string} as the explorer's state tells it
 * @throws {Error} that says why it isn't loaded
 */
export function modelIn(text, page) {
  if (OFFERS.some(({ name }) => name === text)) return text;
  if (ON_HUB.test(text)) return `hf:${text}`;
  const folder = /^\.{0,2}\//.test(text) ? new URL(text, page) : undefined;
  if (!folder) throw new Error(`The link asks for the model ${text}, which this page does not have.`);
  // The page talks to its own server alone, and a link must not change that.
  if (folder.origin !== page.origin) throw new Error(`The model ${text} is not on this server, so it is not loaded. Download it and drop its folder here.`);
  return OFFERS.find(({ source }) => source === folder.href.replace(/\/?$/, '/'))?.name ?? folder.href;
}

/**
 * @param {string | null} model as the explorer's state tells it
 * @param {URL} page
 * @returns {string | null} null: no link can say which it is
 */
export function modelInLink(model, page) {
  if (!model || OFFERS.some(({ name }) => name === model)) return model;
  if (isOnHub(model)) return model.slice(3);
  const url = URL.canParse(model) ? new URL(model) : undefined;
  return url?.origin === page.origin ? url.pathname : null; // a query may be a secret
}

/** Whether that is a commit, which never changes: once it was loaded, nothing is asked. @param {string} model as the explorer's state tells it */
export function isPinned(model) {
  return /@[0-9a-f]{40}$/.test(model);
}

/** @param {string} model as the explorer's state tells it */
export function isOnHub(model) {
  return model.startsWith('hf:');
}
