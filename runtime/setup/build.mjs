// `npm run build`: dist/ from the sources, when stale.
import { build, checkNode, installPackages, linkCommand } from './steps.mjs';

checkNode();
installPackages();
linkCommand();
build();
