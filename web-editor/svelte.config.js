// Types in components are taken out by the compiler itself: no preprocessor.
export default {};
