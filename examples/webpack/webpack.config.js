export default {
  mode: 'production',
  context: import.meta.dirname,
  output: { path: `${import.meta.dirname}/dist` },
  performance: { hints: false }, // the engine is larger than webpack would have a script
};
