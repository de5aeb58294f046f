package web_test

import (
	"strings"
	"testing"

	"mome/server/viewer"
	"mome/server/web"
)

// TestViewerIsMounted: what the viewer answers is its own package's matter, where it is mounted this one's.
func TestViewerIsMounted(t *testing.T) {
	v, err := viewer.New(viewer.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, web.Config{Viewer: v})
	for _, path := range []string{"/viewer", "/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2", "/viewer/assets/a.png"} {
		got := n.get(n.root + path)
		if got.StatusCode != 404 || !strings.Contains(string(got.body), "server viewer install") {
			t.Errorf("%s: %s %s, want the page that tells how to install", path, got.Status, got.body)
		}
	}
	n = start(t, web.Config{})
	if got := n.get(n.root + "/viewer"); got.StatusCode != 404 || !strings.Contains(string(got.body), "switched off") {
		t.Errorf("without a viewer: %s %s", got.Status, got.body)
	}
}
