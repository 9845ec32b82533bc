#!/bin/sh
# The tests of barriers run axe-core in the browser. Fetch it where npm is; say it where not.
folder=build/axe
if [ -f "$folder/node_modules/axe-core/axe.min.js" ]; then exit 0; fi
if command -v npm >/dev/null 2>&1; then
  mkdir -p "$folder"
  if npm install --silent --no-save --no-audit --no-fund --prefix "$folder" axe-core@4 >/dev/null 2>&1; then
    exit 0
  fi
fi
echo "**** NO AXE-CORE: THE TESTS OF BARRIERS WILL BE SKIPPED. They need npm and its registry once. ****"
