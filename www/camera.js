/** The webcam: its stream, its frames, and what to say when there is none. */

/** @type {Record<string, string>} */
const PROBLEMS = {
  NotAllowedError: "The camera may not be used. Allow it in the browser's settings for this page, or choose a photo.",
  SecurityError: "The camera may not be used. Allow it in the browser's settings for this page, or choose a photo.",
  NotFoundError: 'There is no camera here. Connect one, or choose a photo.',
  OverconstrainedError: 'There is no camera here. Connect one, or choose a photo.',
  NotReadableError: 'The camera is in use elsewhere. Close the program that holds it, then try again.',
};

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<MediaStream>}
 */
export async function openCamera(video) {
  if (!navigator.mediaDevices) throw new Error('The camera needs a secure page. Open this one over https, or as localhost.');
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 960 } } });
    video.srcObject = stream;
    await video.play();
    return stream;
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : '';
    throw new Error(PROBLEMS[name] ?? 'The camera could not be started. Try again, or choose a photo.', { cause });
  }
}

/**
 * @param {HTMLVideoElement} video
 * @param {MediaStream} stream
 */
export function closeCamera(video, stream) {
  for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
}

/**
 * Resolves with the next frame; a hidden page gets none, so that it rests.
 * @param {HTMLVideoElement} video
 * @returns {Promise<void>}
 */
export function nextFrame(video) {
  return new Promise((resolve) => {
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}
