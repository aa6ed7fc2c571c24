/** @type {import('./explorer/panels/sources.js').Sample[]} */
export const SAMPLES = [
  { file: './samples/coffee.jpg', title: 'Espresso cup' },
  { file: './samples/chelsea.jpg', title: 'Tabby cat' },
  { file: './samples/rocket.jpg', title: 'Rocket launch' },
  { file: './samples/astronaut.jpg', title: 'Astronaut' },
];
