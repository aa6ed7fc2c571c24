/** @type {Record<string, string>} */
const PROBLEMS = {
  NotAllowedError: "The camera may not be used. Allow it in the browser's settings for this page, or choose a photo.",
  SecurityError: "The camera may not be used. Allow it in the browser's settings for this page, or choose a photo.",
  NotFoundError: 'There is no camera here. Connect one, or choose a photo.',
  OverconstrainedError: 'There is no camera here. Connect one, or choose a photo.',
  NotReadableError: 'The camera is in use elsewhere. Close the program that holds it, then try again.',
};

/** @typedef {'off' | 'starting' | 'on'} CameraState */

/** The webcam on a video element. Whatever it opens it closes, also what is granted when nobody waits for it any more. */
export class Camera {
  #video;
  #onState;
  /** @type {CameraState} */
  #state = 'off';
  /** @type {MediaStream | undefined} */
  #stream;
  #wish = {};

  /**
   * @param {HTMLVideoElement} video
   * @param {(state: CameraState) => void} onState
   */
  constructor(video, onState) {
    this.#video = video;
    this.#onState = onState;
  }

  get state() {
    return this.#state;
  }

  /** What it shows, once it is on. */
  get stream() {
    return this.#state === 'on' ? this.#stream : undefined;
  }

  /** @returns {Promise<MediaStream | undefined>} undefined: it was stopped before it was on */
  async start() {
    this.stop();
    const wish = (this.#wish = {});
    this.#enter('starting');
    try {
      const stream = await ask();
      if (wish !== this.#wish) return void release(stream);
      this.#stream = stream;
      if (document.visibilityState === 'hidden') return void this.stop();
      this.#video.srcObject = stream;
      await this.#video.play().catch((cause) => {
        throw new Error("The camera's picture could not be shown. Try again, or choose a photo.", { cause });
      });
      if (wish !== this.#wish) return undefined;
      this.#enter('on');
      return stream;
    } catch (error) {
      if (wish !== this.#wish) return undefined;
      this.stop();
      throw error;
    }
  }

  /** Off, at once: what still comes of an earlier start is released. */
  stop() {
    this.#wish = {};
    if (this.#stream) release(this.#stream);
    this.#stream = undefined;
    this.#video.srcObject = null;
    if (this.#state !== 'off') this.#enter('off');
  }

  /** @param {CameraState} state */
  #enter(state) {
    this.#state = state;
    this.#onState(state);
  }
}

/** @returns {Promise<MediaStream>} */
async function ask() {
  if (!navigator.mediaDevices) throw new Error('The camera needs a secure page. Open this one over https, or as localhost.');
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 960 } } });
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : '';
    throw new Error(PROBLEMS[name] ?? 'The camera could not be started. Try again, or choose a photo.', { cause });
  }
}

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) track.stop();
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
