/** Files that somebody chose or dropped, or a folder that was opened: their names decide. */
import { chosenPlace } from './place.js';

const CONFIG = /(^|\/)(open_clip_)?config\.json$/;

/**
 * @param {any} source
 * @returns {import('./place.js').Place | undefined} none where it is something else
 */
export function chosenFiles(source) {
  if (source?.kind === 'directory' && typeof source.getFileHandle === 'function') {
    return chosenPlace(`The folder ${source.name}`, async (name) => (await source.getFileHandle(name).catch(orMissing))?.getFile());
  }
  const files = Array.isArray(source) || Object.prototype.toString.call(source) === '[object FileList]' ? [...source] : [];
  if (!files.length || !files.every((file) => file instanceof File)) return undefined;
  // Of a folder within folders: the one that has a config, nearest to the top.
  const paths = files.map((file) => file.webkitRelativePath || file.name);
  const [config = paths[0]] = paths.filter((path) => CONFIG.test(path)).sort((a, b) => a.split('/').length - b.split('/').length);
  const folder = config.slice(0, config.lastIndexOf('/') + 1);
  const names = new Map(paths.map((path, i) => [path, files[i]]));
  const listed = paths.slice(0, 5).join(', ') + (paths.length > 5 ? ', …' : '');
  return chosenPlace(`What was chosen (${listed})`, async (name) => names.get(folder + name));
}

/** @param {any} error */
function orMissing(error) {
  if (error?.name !== 'NotFoundError') throw error;
  return undefined;
}
