import { toPicture } from '../photo.js';
import { rangesOf, release, snapshot } from './card.js';
import { toSheet } from './sheet.js';

/** @typedef {import('./card.js').Card} Card */

/** Beside the present one; each keeps a picture. */
export const MOST = 6;

/** Views that were pinned, and the present one beside them. */
export class Pins {
  #onChange;
  /** @type {Card[]} */
  #cards = [];
  /** @type {Card | undefined} */
  #present;
  #common = false;
  #ended = false;

  /** @param {(pins: Pins) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get present() {
    return this.#present;
  }

  get pinned() {
    return this.#cards;
  }

  get full() {
    return this.#cards.length >= MOST;
  }

  /** What is drawn: the pinned ones and, once there are any, the present one, each with its range. */
  get drawn() {
    const cards = this.#cards.length && this.#present ? [...this.#cards, this.#present] : this.#cards;
    const ranges = rangesOf(cards, this.#common);
    return cards.map((card, i) => ({ card, range: ranges[i] }));
  }

  /** @param {Card | undefined} card what is shown now */
  show(card) {
    if (!card && !this.#present) return;
    this.#present = card;
    this.#onChange(this);
  }

  async pin() {
    if (!this.#present || this.full) return;
    const card = await snapshot(this.#present);
    if (this.#ended || this.full) return release(card);
    this.#cards.push(card);
    this.#onChange(this);
  }

  /** @param {Card} card */
  remove(card) {
    this.#cards = this.#cards.filter((other) => other !== card);
    release(card);
    this.#onChange(this);
  }

  /** @param {boolean} common whether values of one kind share a scale */
  share(common) {
    this.#common = common;
    this.#onChange(this);
  }

  /** @returns {Promise<Blob>} */
  toPicture() {
    const { drawn } = this;
    return toSheet(drawn.map(({ card }) => card), drawn.map(({ range }) => range));
  }

  /**
   * The present one alone.
   * @param {ImageBitmap | undefined} photo for where there is none
   * @returns {Promise<Blob>} a PNG
   */
  async snapshot(photo) {
    const card = this.#present;
    if (card) return toSheet([card], rangesOf([card], false));
    if (photo) return toPicture(photo);
    throw new Error('There is no picture to take: no photo is open yet.');
  }

  end() {
    this.#ended = true;
    this.#cards.forEach(release);
    this.#cards = [];
    this.#present = undefined;
  }
}
