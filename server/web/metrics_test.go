package web_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"mome/server/web"
)

func TestMetrics(t *testing.T) {
	n := start(t, web.Config{Jobs: someJobs(), Version: "1.2.3"})
	file := object{number: 1, patient: "Secret^Name"}.bytes(t)
	n.do("POST", "/studies", bytes.NewReader(file), "Content-Type: application/dicom")
	n.get("/studies/" + study + "/metadata")
	n.get("/studies/9.9/metadata")
	n.get("/no/such/9.9.9")
	n.do("BREW", "/studies", nil)
	got := n.get(n.root + "/metrics")
	if got.StatusCode != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%s as %s", got.Status, got.Header.Get("Content-Type"))
	}
	text := string(got.body)
	for _, want := range []string{
		`mome_http_requests_total{method="POST",route="/dicom-web/studies",status="200"} 1`,
		`mome_http_requests_total{method="GET",route="/dicom-web/studies/:study/metadata",status="200"} 1`,
		`mome_http_requests_total{method="GET",route="/dicom-web/studies/:study/metadata",status="404"} 1`,
		`mome_http_request_duration_seconds_bucket{method="POST",route="/dicom-web/studies",status="200",le="+Inf"} 1`,
		`mome_http_running_requests 1`,
		`mome_stored_instances 1`, `mome_stored_studies 1`,
		`mome_jobs{state="failed"} 1`, `mome_jobs{state="queued"} 0`,
		`mome_info{version="1.2.3"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if m := regexp.MustCompile(`mome_http_received_bytes_total\{method="POST"[^}]*\} (\d+)`).FindStringSubmatch(text); m == nil || m[1] == "0" {
		t.Errorf("received bytes: %v", m)
	}
	for _, never := range []string{"Secret", study, "9.9", "BREW"} {
		if strings.Contains(text, never) {
			t.Errorf("%s is in it", never)
		}
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) mome_[a-z_]+ .+|mome_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$`)
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if !line.MatchString(l) {
			t.Errorf("not the text format: %q", l)
		}
	}
}
