/** In the single file, in place of `www/samples.js`: the photos are within. */
import { SAMPLES as FILES } from '../samples.js';
import { addressOf } from './parts.js';

export const SAMPLES = await Promise.all(FILES.map(async (sample) => ({ ...sample, file: await addressOf(sample.file) })));
