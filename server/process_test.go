package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
	"mome/fixtures/phantom"
	"mome/server/jobs"
)

// process is a node in a process of its own, so that it can be killed.
type process struct {
	cmd    *exec.Cmd
	url    string
	remote *client.Client
}

var announced = regexp.MustCompile(`DICOMweb +(http://\S+)/dicom-web`)

// startProcess starts the command's binary over dir and waits until it says where it listens.
func startProcess(t *testing.T, binary, dir string, settle time.Duration, more ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", dir, "--settle", settle.String()}, more...)...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = t.Output()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if m := announced.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
		}
	}
	if p.url == "" {
		t.Fatal("the node did not say where it listens")
	}
	go io.Copy(io.Discard, out)
	if p.remote, err = client.New(client.Config{URL: p.url + "/dicom-web", Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends the process as a power cut does. Doing it twice is harmless.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// until polls the state of a study until accept is satisfied with it.
func (p *process) until(t *testing.T, study string, accept func(jobs.Status) bool) jobs.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var s jobs.Status
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if r, err := http.Get(p.url + "/jobs/" + study); err == nil {
			s = jobs.Status{}
			err = json.NewDecoder(r.Body).Decode(&s)
			r.Body.Close()
			if err == nil && r.StatusCode == http.StatusOK && accept(s) {
				tick.Stop()
				return s
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("study %s is still %q (%s) after two minutes", study, s.State, s.Reason)
		}
	}
}

func done(s jobs.Status) bool { return s.State == jobs.Done || s.State == jobs.Failed }

func TestKillInMidPushAndMidAnalysis(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	binary, dir := buildServer(t), t.TempDir()
	s := study(t, phantom.Config{Seed: 31})
	id := s.Truth.StudyInstanceUID

	// Killed while it takes the study in: what was acknowledged must be there after the next start.
	p := startProcess(t, binary, dir, time.Hour)
	var mu sync.Mutex
	stored := 0
	p.remote.Store(t.Context(), instances(s), client.StoreOptions{Progress: func(pr client.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if stored = pr.Stored; stored == s.Len()/2 {
			p.kill()
		}
	}})
	p.kill()
	if stored < s.Len()/2 || stored == s.Len() {
		t.Fatalf("%d of %d instances were acknowledged before the kill", stored, s.Len())
	}
	p = startProcess(t, binary, dir, time.Hour)
	found, _, err := p.remote.Search(t.Context(), query.Instance, dicomweb.Ref{Study: id}, url.Values{"limit": {"100000"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < stored {
		t.Errorf("%d instances after the kill, %d were acknowledged", len(found), stored)
	}

	// Killed in the midst of the analysis: it starts again with the node and its results are stored once.
	if r, err := p.remote.Store(t.Context(), instances(s), client.StoreOptions{}); err != nil || r.Stored != s.Len() {
		t.Fatalf("second push: stored %d of %d, %v, %v", r.Stored, s.Len(), r.Failures, err)
	}
	p.kill()
	p = startProcess(t, binary, dir, time.Second)
	p.until(t, id, func(s jobs.Status) bool { return s.State == jobs.Running && s.Stage != "" })
	p.kill()
	p = startProcess(t, binary, dir, time.Second)
	status := p.until(t, id, done)
	if status.State != jobs.Done {
		t.Fatalf("the analysis ended as %q: %s", status.State, status.Reason)
	}
	last := 0
	if err := p.remote.Retrieve(t.Context(), dicomweb.Ref{Study: id}, func(part client.Part) error {
		b, err := io.ReadAll(part)
		if err == nil {
			_, err = dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
		}
		last++
		return err
	}); err != nil {
		t.Error("retrieve the study:", err)
	}
	everything, _, err := p.remote.Search(t.Context(), query.Instance, dicomweb.Ref{Study: id}, url.Values{"limit": {"10000"}})
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]int{}
	for _, f := range everything {
		classes[f.String(tag.SOPClassUID)]++
	}
	if len(everything) != last || last < s.Len()+3 {
		t.Errorf("%d instances retrieved, %d found, want %d and the results", last, len(everything), s.Len())
	}
	for _, class := range []string{uid.Comprehensive3DSRStorage, uid.ComprehensiveSRStorage, uid.SegmentationStorage} {
		if classes[class] != 1 {
			t.Errorf("%d results of SOP class %s, want 1 of each: %v", classes[class], class, classes)
		}
	}
}

// multipartOf writes a STOW-RS body of parts.
func multipartOf(t *testing.T, parts ...[]byte) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, p := range parts {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/dicom"}})
		if err != nil {
			t.Fatal(err)
		}
		part.Write(p)
	}
	w.Close()
	return body, `multipart/related; type="application/dicom"; boundary=` + w.Boundary()
}

func TestForeignFilesByCurl(t *testing.T) {
	curl, dcmconv := program(t, "curl"), program(t, "dcmconv")
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	s := study(t, phantom.Config{Seed: 41})
	src, converted := t.TempDir(), t.TempDir()
	if err := s.WriteDir(t.Context(), src, nil); err != nil {
		t.Fatal(err)
	}
	// DCMTK writes each file anew, as implicit little endian: another program's bytes.
	var parts [][]byte
	if err := filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".dcm" {
			return err
		}
		to := filepath.Join(converted, fmt.Sprintf("%d.dcm", len(parts)))
		if out, err := exec.Command(dcmconv, "+ti", path, to).CombinedOutput(); err != nil {
			return fmt.Errorf("dcmconv: %w\n%s", err, out)
		}
		b, err := os.ReadFile(to)
		parts = append(parts, b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	body, contentType := multipartOf(t, parts...)
	file := filepath.Join(src, "body")
	if err := os.WriteFile(file, body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, buildServer(t), t.TempDir(), time.Second)
	out, err := exec.Command(curl, "-sS", "-o", os.DevNull, "-w", "%{http_code}", "-H", "Content-Type: "+contentType,
		"-H", "Accept: application/dicom+json", "--data-binary", "@"+file, p.url+"/dicom-web/studies").CombinedOutput()
	if err != nil || string(out) != "200" {
		t.Fatalf("curl: %v, status %s", err, out)
	}
	p.checkResults(t, s)
}

// checkResults waits for the analysis and checks its objects with dicom3tools and DCMTK.
func (p *process) checkResults(t *testing.T, s *phantom.Study) {
	t.Helper()
	status := p.until(t, s.Truth.StudyInstanceUID, done)
	if status.State != jobs.Done || len(status.Results.SR) != 1 || len(status.Results.SEG) != 1 {
		t.Fatalf("the analysis ended as %q (%s) with results %+v", status.State, status.Reason, status.Results)
	}
	dir := t.TempDir()
	for name, ref := range map[string]dicomweb.Ref{"sr.dcm": status.Results.SR[0], "seg.dcm": status.Results.SEG[0]} {
		path := filepath.Join(dir, name)
		if err := p.remote.Retrieve(t.Context(), ref, func(part client.Part) error {
			return writeFile(path, func(w io.Writer) error { _, err := io.Copy(w, part); return err })
		}); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(program(t, "dciodvfy"), path).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "Error") {
				t.Errorf("dciodvfy %s: %s", name, line)
			}
		}
	}
	out, err := exec.Command(program(t, "dsrdump"), "+Pl", filepath.Join(dir, "sr.dcm")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Imaging Measurement Report")) || !bytes.Contains(out, []byte("NOT FOR CLINICAL USE")) {
		t.Errorf("dsrdump: %v\n%s", err, out)
	}
	a, err := fetch(t.Context(), p.remote, status.Results)
	if err != nil {
		t.Fatal(err)
	}
	if !compare(s.Truth.Lesions, a.Findings) {
		t.Error("a planted lesion was missed")
	}
}
