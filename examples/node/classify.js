import { Vitscope } from 'vitscope';

const [folder, ...pictures] = process.argv.slice(2);
const vit = await Vitscope.load(folder);
for (const picture of pictures) {
  const { top } = await vit.classify(picture);
  console.log(picture, top.map(({ label, score }) => `${label} ${Math.round(100 * score)} %`).join(', '));
}
vit.close();
