#!/bin/sh
# Check the report page as a stranger would: an HTML validator, and the rules of
# axe-core for accessibility in a real browser, in light and in dark.
# Usage: page-check.sh PAGE.html WORKDIR. Needs npm and chromium.
set -eu
page=$(realpath "$1")
work=$2
for tool in npm chromium; do
	command -v "$tool" >/dev/null || { echo "page-check skipped: $tool is not installed"; exit 0; }
done
mkdir -p "$work"
work=$(realpath "$work")
cd "$work"
[ -d node_modules/axe-core ] && [ -d node_modules/html-validate ] ||
	npm install --silent --no-fund --no-audit --prefix "$work" axe-core@4 html-validate@9 ||
	{ echo "page-check skipped: npm could not install axe-core and html-validate"; exit 0; }

cat >.htmlvalidate.json <<'JSON'
{ "root": true, "extends": ["html-validate:standard"], "rules": { "no-inline-style": "off", "long-title": "off" } }
JSON
cp "$page" page.html
node_modules/.bin/html-validate page.html
echo "html-validate: no errors"

# axe runs in a copy of the page and leaves its findings in the title.
{ cat page.html; printf '<script>'; cat node_modules/axe-core/axe.min.js; cat <<'JS'
</script><script>
axe.run(document, { resultTypes: ["violations"] }).then(r => {
	document.title = "AXE " + r.violations.map(v => v.id + " " + v.nodes.length + " (" + v.nodes[0].target + ")").join("; ") + " END";
});
</script>
JS
} >axe.html
for dark in "" "--blink-settings=preferredColorScheme=0"; do
	found=$(chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update \
		--disable-sync --user-data-dir="$work/profile" $dark --virtual-time-budget=20000 --dump-dom "file://$work/axe.html" 2>/dev/null |
		sed -n 's/.*<title>AXE \(.*\)END<\/title>.*/ran:\1/p')
	case $found in
	ran:*[a-z]*) echo "axe-core: ${found#ran:}"; exit 1 ;;
	ran:*) ;;
	*) echo "axe-core did not run in the browser"; exit 1 ;;
	esac
done
echo "axe-core: no violations"
