/** SHA-256 of bytes as they come: what browsers have needs all of them at once. FIPS 180-4. */
import { VitscopeError } from '../common/errors.js';

/** The first 32 bits after the point, of the square roots of the first 8 primes and of the cube roots of the first 64. */
const [START, ROUNDS] = constants();

function constants() {
  const start = [];
  const rounds = [];
  const bits = (/** @type {number} */ root) => ((root % 1) * 2 ** 32) | 0;
  for (let n = 2; rounds.length < 64; n++) {
    let divisor = 2;
    while (n % divisor) divisor++;
    if (divisor < n) continue;
    if (start.length < 8) start.push(bits(n ** (1 / 2)));
    rounds.push(bits(n ** (1 / 3)));
  }
  return [Int32Array.from(start), Int32Array.from(rounds)];
}

export class Sha256 {
  #state = START.slice();
  #words = new Int32Array(64);
  #block = new Uint8Array(64);
  #length = 0;

  /** @param {Uint8Array} bytes */
  update(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const filled = this.#length % 64;
      const part = Math.min(64 - filled, bytes.length - at);
      const whole = part === 64;
      if (!whole) this.#block.set(bytes.subarray(at, at + part), filled);
      this.#length += part;
      if (whole) this.#mix(bytes, at);
      else if (filled + part === 64) this.#mix(this.#block, 0);
      at += part;
    }
    return this;
  }

  /** In hexadecimal digits. It ends the sum. */
  digest() {
    const bits = 8 * this.#length;
    this.update(Uint8Array.of(128)).update(new Uint8Array((120 - (this.#length % 64)) % 64));
    const length = new DataView(new ArrayBuffer(8));
    length.setUint32(0, bits / 2 ** 32);
    length.setUint32(4, bits);
    this.update(new Uint8Array(length.buffer));
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} at where the 64 of them begin
   */
  #mix(bytes, at) {
    const state = this.#state;
    const words = this.#words;
    for (let i = 0; i < 16; i++, at += 4) words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      words[i] = (words[i - 16] + words[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const x = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
      const y = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      // One by one: by way of an array it takes five times as long.
      h = g;
      g = f;
      f = e;
      e = (d + x) | 0;
      d = c;
      c = b;
      b = a;
      a = (x + y) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

/**
 * @param {number} word
 * @param {number} bits
 */
function turn(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/**
 * @param {string} url
 * @param {Sha256} sum of what came from there
 * @param {string} wanted
 */
export function requireSum(url, sum, wanted) {
  const found = sum.digest();
  if (found !== wanted) throw new VitscopeError('integrity', `${url} is not what it should be: its SHA-256 is ${found}, not ${wanted}. Load it again; if that is of no avail, it was changed or is damaged where it lies.`);
}
