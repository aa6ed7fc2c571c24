/** Models of the Hub that are known to load here, each another kind; `bytes` of the weights there. @type {import('./explorer/library.js').Suggestion[]} */
export const SUGGESTIONS = [
  { name: 'timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k', what: 'A thousand classes, the smallest', bytes: 22.9e6 },
  { name: 'facebook/dinov2-with-registers-small', what: 'Features without labels; registers keep its maps clean', bytes: 88.2e6 },
  { name: 'timm/deit3_small_patch16_224.fb_in22k_ft_in1k', what: 'A thousand classes, trained anew', bytes: 88.2e6 },
  { name: 'google/vit-base-patch16-224', what: 'The ViT of the paper, a thousand classes', bytes: 346e6 },
  { name: 'openai/clip-vit-base-patch32', what: 'CLIP, trained with texts; half of it is read', bytes: 605e6 },
];
