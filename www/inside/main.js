/** The lesson's page. */
import { openPage } from '../page.js';
import { mount } from './lesson.js';

openPage(/** @type {HTMLElement} */ (document.getElementById('lesson')), mount, { up: '../' });
