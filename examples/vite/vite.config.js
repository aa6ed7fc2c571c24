export default { base: './' }; // wherever it is put
