package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/fixtures/phantom"
)

// TestOrthancPushes lets Debian's Orthanc with its DICOMweb plug-in send a study to the node, and the node forward its
// results to the same Orthanc, which starts after the node.
func TestOrthancPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	orthanc := program(t, "Orthanc")
	plugin := ""
	for _, path := range []string{"/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so"} {
		if _, err := os.Stat(path); err == nil {
			plugin = path
		}
	}
	if plugin == "" {
		t.Skip("Orthanc's DICOMweb plug-in is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	p := startProcess(t, buildServer(t), t.TempDir(), 2*time.Second, "--forward", fmt.Sprintf("http://127.0.0.1:%d/dicom-web", port))
	base := startOrthanc(t, orthanc, plugin, p.url+"/dicom-web/", port)

	s := study(t, phantom.Config{Seed: 42, Vendor: phantom.Philips})
	var orthancStudy string
	for name, ds := range s.Instances() {
		var b bytes.Buffer
		if err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		var answer struct{ ParentStudy string }
		post(t, base+"/instances", b.Bytes(), &answer)
		if answer.ParentStudy == "" {
			t.Fatalf("Orthanc did not take %s", name)
		}
		orthancStudy = answer.ParentStudy
	}
	post(t, base+"/dicom-web/servers/mome/stow", fmt.Appendf(nil, `{"Resources": [%q], "Synchronous": true}`, orthancStudy), nil)
	p.checkResults(t, s)
	for _, modality := range []string{"SEG", "SR"} {
		query := fmt.Appendf(nil, `{"Level": "Series", "Query": {"StudyInstanceUID": %q, "Modality": %q}}`, s.Truth.StudyInstanceUID, modality)
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			var found []string
			if post(t, base+"/tools/find", query, &found); len(found) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no %s reached Orthanc within 30 s", modality)
			}
		}
	}
	for path, want := range map[string]string{"/jobs/": `"state": "delivered"`, "/study/": "Sent to"} {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			r, err := http.Get(p.url + path + s.Truth.StudyInstanceUID)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err == nil && strings.Contains(string(body), want) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not tell of the delivery within 30 s: %v\n%.2000s", path, err, body)
			}
		}
	}
}

// startOrthanc starts Orthanc on a port of loopback, with the node as its DICOMweb server "mome".
func startOrthanc(t *testing.T, orthanc, plugin, node string, port int) (base string) {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{
		"Name": "test", "StorageDirectory": dir, "IndexDirectory": dir, "Plugins": []string{plugin},
		"HttpPort": port, "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "DicomServerEnabled": false,
		"HttpBindAddresses": []string{"127.0.0.1"},
		"DicomWeb":          map[string]any{"Enable": true, "Servers": map[string]any{"mome": map[string]any{"Url": node}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(orthanc, path)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	base = fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get(base + "/system"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return base
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Orthanc did not start within 30 s")
		}
	}
}

// post sends body and decodes the JSON answer into v, if v is not nil.
func post(t *testing.T, url string, body []byte, v any) {
	t.Helper()
	r, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: %s, %v\n%.500s", url, r.Status, err, answer)
	}
	if v != nil {
		if err := json.Unmarshal(answer, v); err != nil {
			t.Fatal(err)
		}
	}
}
