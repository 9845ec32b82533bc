#!/bin/sh
# Browser tests drive the machine's own Chromium. Install it where that is possible; say it where not.
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests"
  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; then
    exit 0
  fi
fi
echo "**** NO CHROMIUM FOUND: THE BROWSER TESTS WILL BE SKIPPED. Install the package chromium to run them. ****"
