// `npm run setup`: everything that a fresh clone needs, without starting anything.
import { prepare } from './steps.mjs';

prepare();
