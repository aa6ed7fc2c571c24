/** @type {import('./explorer/panels/sources.js').Sample[]} */
export const SAMPLES = [
  { name: 'coffee', file: './samples/coffee.jpg', title: 'Espresso cup' },
  { name: 'chelsea', file: './samples/chelsea.jpg', title: 'Tabby cat' },
  { name: 'rocket', file: './samples/rocket.jpg', title: 'Rocket launch' },
  { name: 'astronaut', file: './samples/astronaut.jpg', title: 'Astronaut' },
];
