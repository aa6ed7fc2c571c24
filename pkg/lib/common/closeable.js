class Base {}

/** @param {symbol | undefined} symbol @param {(this: {close(): void}) => unknown} close */
function define(symbol, close) {
  if (symbol) Object.defineProperty(Base.prototype, symbol, { value: close });
}
define(Symbol.dispose, function () {
  this.close();
});
define(Symbol.asyncDispose, async function () {
  this.close();
});

/**
 * What has a `close()`, for `using` and `await using`, where there are such declarations.
 * @type {new () => {[Symbol.dispose](): void, [Symbol.asyncDispose](): Promise<void>}}
 */
export const Closeable = /** @type {any} */ (Base);
