import { EDGE } from './origins.js';

/** A moving picture, frame by frame. Whatever it was given it releases. */
export class Feed {
  #video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, loop: true });
  #canvas = new OffscreenCanvas(1, 1);
  /** @type {MediaStream | undefined} */
  #stream;
  #address = '';
  #stopped = false;
  #wake = () => {};
  /** @type {Promise<void>} */
  #next;

  /**
   * @param {MediaStream | Blob} source
   * @param {() => void} onEnd it will show no more: a camera was disconnected, say
   */
  constructor(source, onEnd) {
    if (source instanceof Blob) {
      this.#video.src = this.#address = URL.createObjectURL(source);
      this.#video.addEventListener('error', () => !this.#stopped && onEnd());
    } else {
      this.#video.srcObject = this.#stream = source;
      source.getVideoTracks()[0].addEventListener('ended', () => !this.#stopped && onEnd());
    }
    this.#next = this.#awaitFrame();
  }

  /** The camera's own, and which way it looks, where it says so. */
  get camera() {
    const { deviceId = '', facingMode = '' } = this.#stream?.getVideoTracks()[0].getSettings() ?? {};
    return { device: deviceId, facing: facingMode };
  }

  play() {
    return this.#video.play();
  }

  pause() {
    this.#video.pause();
  }

  /** Resolves once there is a frame that was not taken yet, or when it is stopped. A hidden page gets none, so that it rests. */
  next() {
    return this.#next;
  }

  /** The present frame will do once more. */
  again() {
    this.#wake();
  }

  /**
   * The present frame.
   * @param {boolean} mirrored
   * @returns {ImageBitmap | undefined} whoever takes it closes it; undefined before the first
   */
  grab(mirrored) {
    this.#next = this.#awaitFrame(); // from now on, so that one which comes while the model works is not waited for
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return undefined;
    const scale = Math.min(1, EDGE / Math.max(videoWidth, videoHeight));
    const [width, height] = [Math.max(1, Math.round(videoWidth * scale)), Math.max(1, Math.round(videoHeight * scale))];
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (this.#canvas.getContext('2d', { alpha: false }));
    context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
    context.drawImage(this.#video, 0, 0, width, height);
    return this.#canvas.transferToImageBitmap();
  }

  /** At once: a camera's light goes off. */
  stop() {
    this.#stopped = true;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#video.srcObject = null;
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#address);
    this.#wake();
  }

  /** @returns {Promise<void>} */
  #awaitFrame() {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if ('requestVideoFrameCallback' in this.#video) this.#video.requestVideoFrameCallback(() => resolve());
      else requestAnimationFrame(() => resolve());
    });
  }
}
