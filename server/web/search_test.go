package web_test

import (
	"fmt"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/server/web"
)

func TestSearch(t *testing.T) {
	n := start(t, web.Config{})
	n.store(
		object{number: 1}.bytes(t), object{number: 2}.bytes(t),
		object{series: study + ".2", number: 3}.bytes(t),
		object{study: "1.2.3", series: "1.2.3.1", number: 4, patient: "Doe, Jane^Müller"}.bytes(t),
	)
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		results    int
		warning    string
	}{
		{"studies", "/studies", nil, 200, 2, ""},
		{"what OHIF asks for its work list", "/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030", []string{"Accept: application/dicom+json"}, 200, 2, ""},
		{"what OHIF asks for series", "/studies/" + study + "/series?includefield=00080021,00080031,0008103E,00200011", nil, 200, 2, ""},
		{"series", "/series", nil, 200, 3, ""},
		{"instances", "/instances", nil, 200, 4, ""},
		{"instances of a study", "/studies/" + study + "/instances", nil, 200, 3, ""},
		{"instances of a series", "/studies/" + study + "/series/" + series + "/instances", nil, 200, 2, ""},
		{"trailing slash", "/studies/", nil, 200, 2, ""},
		{"base URL with a slash at its end", "//studies", nil, 200, 2, ""},
		{"?& of Weasis", "/studies?&limit=5", nil, 200, 2, ""},
		{"a question mark without parameters", "/studies?", nil, 200, 2, ""},
		{"a comma in a name", "/studies?PatientName=Doe%2C+Jane*", nil, 200, 1, ""},
		{"UIDs by comma", "/studies?StudyInstanceUID=" + study + ",1.2.3", nil, 200, 2, ""},
		{"UIDs by backslash", "/studies?StudyInstanceUID=" + study + `\1.2.3`, nil, 200, 2, ""},
		{"limit", "/studies?limit=1", nil, 200, 1, "There are 1 additional results"},
		{"offset", "/studies?limit=1&offset=1", nil, 200, 1, ""},
		{"offset beyond the end", "/studies?offset=2", nil, 204, 0, ""},
		{"nothing matches", "/studies?PatientID=nobody", nil, 204, 0, ""},
		{"series of an unknown study", "/studies/9.9/series", nil, 204, 0, ""},
		{"bad limit", "/studies?limit=abc", nil, 400, 0, ""},
		{"bad date", "/studies?StudyDate=notadate", nil, 400, 0, ""},
		{"bad UID in the path", "/studies/abc/series", nil, 400, 0, ""},
		{"unknown parameter", "/studies?foo=bar", nil, 200, 2, "foo"},
		{"application/json", "/studies", []string{"Accept: application/json"}, 200, 2, ""},
		{"any", "/studies", []string{"Accept: */*"}, 200, 2, ""},
		{"image/png", "/studies", []string{"Accept: image/png"}, 406, 0, ""},
		{"accept in the query", "/studies?accept=application/dicom+json", []string{"Accept: image/png"}, 200, 2, ""},
		{"impossible accept in the query", "/studies?accept=image/png", nil, 406, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.get(c.path, c.header...)
			if got.StatusCode != c.status {
				t.Fatalf("%s: %s %s, want %d", c.path, got.Status, got.body, c.status)
			}
			if w := strings.Join(got.Header.Values("Warning"), "; "); c.warning == "" && w != "" || !strings.Contains(w, c.warning) || c.warning != "" && !strings.HasPrefix(w, "299 ") {
				t.Errorf("%s: Warning %q, want %q", c.path, w, c.warning)
			}
			switch c.status {
			case 200:
				if r := got.json(t); len(r) != c.results {
					t.Errorf("%s: %d results, want %d: %s", c.path, len(r), c.results, got.body)
				}
			case 204:
				if len(got.body) != 0 {
					t.Errorf("%s: 204 with body %q", c.path, got.body)
				}
			}
		})
	}
}

func TestSearchNamesWhereToRetrieve(t *testing.T) {
	n := start(t, web.Config{})
	n.store(object{number: 1}.bytes(t))
	for path, want := range map[string]string{
		"/studies":   "/studies/" + study,
		"/series":    "/studies/" + study + "/series/" + series,
		"/instances": "/studies/" + study + "/series/" + series + "/instances/" + series + ".1",
	} {
		got := n.get(path).json(t)
		if len(got) != 1 || got[0].String(tag.RetrieveURL) != n.dicom+want {
			t.Errorf("%s: Retrieve URL %q, want %q", path, got[0].String(tag.RetrieveURL), n.dicom+want)
		}
		if again := n.get(strings.TrimPrefix(got[0].String(tag.RetrieveURL), n.dicom)); again.StatusCode != 200 {
			t.Errorf("%s: the Retrieve URL gives %s", path, again.Status)
		}
	}
}

// TestPagingEnds walks as the Python client does: until an answer is empty.
func TestPagingEnds(t *testing.T) {
	n := start(t, web.Config{})
	var files [][]byte
	for i := range 7 {
		files = append(files, object{number: i + 1}.bytes(t))
	}
	n.store(files...)
	seen := map[string]bool{}
	for offset := 0; ; {
		got := n.get(fmt.Sprintf("/instances?limit=3&offset=%d", offset))
		if got.StatusCode == 204 {
			break
		}
		page := got.json(t)
		for _, d := range page {
			seen[d.String(tag.SOPInstanceUID)] = true
		}
		if offset += len(page); offset > 10 {
			t.Fatal("paging does not end")
		}
	}
	if len(seen) != len(files) {
		t.Errorf("%d instances over all pages, want %d", len(seen), len(files))
	}
}
