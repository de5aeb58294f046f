package main

import (
	"image/png"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mome/fusion"
)

// checkPage fetches a study's page and its pictures as a browser does: it says how the analysis ended and, where the
// dynamic series was read, shows both breasts and each lesion that has an outline.
func checkPage(t *testing.T, n *node, study string, a *fusion.Assessment) {
	t.Helper()
	get := func(path string) *http.Response {
		t.Helper()
		response, err := http.Get(n.url() + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		if response.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s", path, response.Status)
		}
		return response
	}
	text, err := io.ReadAll(get("/study/" + study).Body)
	if err != nil {
		t.Fatal(err)
	}
	want, pictures := "Not analysed", 0
	if a.Outcome == fusion.WithFindings {
		want, pictures = "Lesions found", 3+2*len(a.Findings) // three projections; anatomy and kinetics of each lesion
	}
	if !strings.Contains(string(text), want) {
		t.Errorf("the page does not say %q", want)
	}
	found := regexp.MustCompile(`<img src="([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	if len(found) < pictures {
		t.Errorf("the page shows %d pictures of %d lesions", len(found), len(a.Findings))
	}
	for _, m := range found {
		if _, err := png.Decode(get("/study/" + m[1]).Body); err != nil {
			t.Errorf("picture %s: %v", m[1], err)
		}
	}
}
