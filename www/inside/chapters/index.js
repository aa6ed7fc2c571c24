import { cost } from './cost.js';
import { patches } from './patches.js';
import { tokens } from './tokens.js';
import { positions } from './positions.js';
import { attention } from './attention.js';
import { heads } from './heads.js';
import { residual } from './residual.js';
import { mlp } from './mlp.js';
import { layers } from './layers.js';
import { answer } from './answer.js';
import { belief } from './belief.js';
import { after } from './after.js';

/** In the order in which they are read. @type {import('../figure.js').Chapter[]} */
export const CHAPTERS = [cost, patches, tokens, positions, attention, heads, residual, mlp, layers, answer, belief, after];
