/** The page: one explorer. */
import { mount } from './explorer/mount.js';
import { openPage } from './page.js';

openPage(/** @type {HTMLElement} */ (document.getElementById('explorer')), mount, { keep: 'vitscope-classes' });
