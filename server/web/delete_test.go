package web_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/archive"
	"mome/server/web"
)

func clockAt(at *time.Time) func() time.Time { return func() time.Time { return *at } }

func TestDelete(t *testing.T) {
	var forgotten []string
	n := start(t, web.Config{AllowDelete: true, Forget: func(_ context.Context, study string) error {
		forgotten = append(forgotten, study)
		return nil
	}})
	store := func() {
		n.store(object{number: 1}.bytes(t), object{number: 2}.bytes(t), object{series: study + ".2", number: 3}.bytes(t))
		result := object{series: study + ".9", number: 4}.bytes(t)
		if _, err := n.archive.Put(t.Context(), strings.NewReader(string(result)), archive.PutOptions{Result: true}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, path string
		left       int // instances of 4
		warning    string
		forgotten  bool
	}{
		{"instance", instance + ".1", 3, "1 results of this node stay", false},
		{"series", "/studies/" + study + "/series/" + series, 2, "1 results of this node stay", false},
		{"series of results", "/studies/" + study + "/series/" + study + ".9", 3, "1 results of this node were deleted", false},
		{"study", "/studies/" + study, 0, "1 results of this node were deleted too", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			store()
			forgotten = nil
			got := n.do("DELETE", c.path, nil)
			if got.StatusCode != 204 || !strings.Contains(got.Header.Get("Warning"), c.warning) {
				t.Errorf("%s, Warning %q; want 204 and %q", got.Status, got.Header.Get("Warning"), c.warning)
			}
			left := 0
			if all := n.get("/instances"); all.StatusCode == 200 {
				left = len(all.json(t))
			}
			if left != c.left {
				t.Errorf("%d instances are left, want %d", left, c.left)
			}
			if (len(forgotten) == 1 && forgotten[0] == study) != c.forgotten {
				t.Errorf("forgotten: %v, want %t", forgotten, c.forgotten)
			}
			if again := n.do("DELETE", c.path, nil); again.StatusCode != 404 {
				t.Errorf("deleted twice: %s, want 404", again.Status)
			}
			if gone := n.get(c.path); gone.StatusCode != 404 {
				t.Errorf("GET of what was deleted: %s, want 404", gone.Status)
			}
		})
	}
}

func TestDeleteIsOffByDefault(t *testing.T) {
	n := start(t, web.Config{})
	n.store(object{number: 1}.bytes(t))
	if got := n.do("DELETE", "/studies/"+study, nil); got.StatusCode != 403 || !strings.Contains(string(got.body), "--allow-delete") {
		t.Errorf("%s %s, want 403 that names the flag", got.Status, got.body)
	}
	if got := n.get("/studies/" + study); got.StatusCode != 200 {
		t.Errorf("afterwards: %s", got.Status)
	}
}
