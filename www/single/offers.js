/** In the single file, in place of `www/offers.js`: the lightest of the page's models is within. Others are chosen from the disk. */
import { OFFERS as ELSEWHERE } from '../offers.js';
import { part } from './parts.js';

const [config, preprocessor, weights] = await Promise.all(['config.json', 'preprocessor_config.json', 'model.safetensors'].map(part));

/** @type {[import('../explorer/models.js').Offer]} */
export const OFFERS = [{ ...ELSEWHERE[ELSEWHERE.length - 1], source: { config, preprocessor, weights }, megabytes: Math.round(weights.size / 1e5) / 10 }];

/** Whatever the address asks for. */
export const requestedModel = () => OFFERS[0];
