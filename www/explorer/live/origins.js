/** Where moving pictures come from. What goes wrong there is one sentence. */

/** @typedef {'camera' | 'file' | 'screen'} Kind */

/** Longest edge of frames, in pixels: models see less, and the page stays free. */
export const EDGE = 640;

const DENIED = "The camera may not be used. Allow it in the browser's settings for this page, or choose a photo.";
const ABSENT = 'There is no camera here. Connect one, or choose a photo.';

/** @type {Record<string, string>} */
const PROBLEMS = {
  NotAllowedError: DENIED,
  SecurityError: DENIED,
  NotFoundError: ABSENT,
  OverconstrainedError: ABSENT,
  NotReadableError: 'The camera is in use elsewhere. Close the program that holds it, then try again.',
};

/**
 * @param {string} [device] one of those in the list; left out, one that looks away from whoever holds it, if there is such
 * @returns {Promise<MediaStream>}
 */
export async function openCamera(device) {
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new Error('The camera needs a secure page. Open this one over https, or as localhost.');
  try {
    return await mediaDevices.getUserMedia({ video: { ...(device ? { deviceId: { exact: device } } : { facingMode: 'environment' }), width: { ideal: EDGE } } });
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : '';
    throw new Error(PROBLEMS[name] ?? 'The camera could not be started. Try again, or choose a photo.', { cause });
  }
}

/** @returns {Promise<MediaStream>} */
export async function openScreen() {
  try {
    return await navigator.mediaDevices.getDisplayMedia({ video: { width: { max: 2 * EDGE }, frameRate: { ideal: 30 } } });
  } catch (cause) {
    throw new Error("No screen is shared. Choose one in the browser's dialog, and allow it in the system's settings.", { cause });
  }
}

/** Whether this browser shares screens: telephones don't. */
export function sharesScreens() {
  return Boolean(navigator.mediaDevices?.getDisplayMedia);
}

/** The cameras by name, which browsers tell once one of them is on. */
export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId).map(({ deviceId, label }, i) => ({ device: deviceId, label: label || `Camera ${i + 1}` }));
}

/** What there is of each kind, and what is said of it. @type {Record<Kind, {open: (given: any) => Promise<MediaStream | Blob> | Blob, title: (given: any) => string, unplayable: string, ended: string, rested: string}>} */
export const KINDS = {
  camera: {
    open: openCamera, title: () => 'Webcam picture', unplayable: "The camera's picture could not be shown. Try again, or choose a photo.",
    ended: 'The camera was disconnected.', rested: 'The webcam went off while the page was hidden.',
  },
  file: {
    open: (file) => file, title: (file) => file.name, unplayable: 'This video could not be played. Try an MP4 or WebM file.',
    ended: 'The video broke off: the rest of its file could not be read.', rested: 'The video was closed while the page was left.',
  },
  screen: {
    open: openScreen, title: () => 'Shared screen', unplayable: 'The shared screen could not be shown. Try again, or choose a photo.',
    ended: '', rested: 'The screen is not shared any more, as the page was left.',
  },
};
