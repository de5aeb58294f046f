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

	"mome/dicomweb"
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
	port := freePort(t)
	p := startProcess(t, buildServer(t), t.TempDir(), 2*time.Second, "--forward", fmt.Sprintf("http://127.0.0.1:%d/dicom-web", port))
	base := startOrthanc(t, p.url+"/dicom-web/", port)

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

// TestOrthancPulls lets Orthanc search the node and retrieve from it, at each level: what it has then is what was stored.
func TestOrthancPulls(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not in -short")
	}
	n := startNode(t, t.TempDir())
	var files [][]byte
	var refs []dicomweb.Ref
	for i := range 5 {
		ref, b := testImage(t, "pull", i+1, 128)
		refs, files = append(refs, ref), append(files, b)
	}
	if r, err := storeParts(t.Context(), t, n.url(), files...); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("store: %v %v", r, err)
	}
	base := startOrthanc(t, n.url()+"/dicom-web/", freePort(t)) + "/dicom-web/servers/mome"
	orthanc := strings.TrimSuffix(base, "/dicom-web/servers/mome")

	for _, c := range []struct { // all find something: Debian's plug-in takes 204, the standard's word for nothing, for a broken file
		uri  string
		keys string
		want int
	}{
		{"/studies", `"PatientID": "R1"`, 1},
		{"/studies", `"PatientName": "*bust^T?st", "includefield": "00081030"`, 1},
		{"/studies/" + refs[0].Study + "/series", `"Modality": "OT"`, 1},
		{"/instances", `"limit": "3"`, 3},
		{"/studies/" + refs[0].Study + "/instances", ``, 5},
	} {
		var found []map[string]any
		post(t, base+"/qido", fmt.Appendf(nil, `{"Uri": %q, "Arguments": {%s}}`, c.uri, c.keys), &found)
		if len(found) != c.want {
			t.Errorf("Orthanc finds %d at %s with %s, want %d", len(found), c.uri, c.keys, c.want)
		}
	}
	var metadata []map[string]any
	post(t, base+"/get", fmt.Appendf(nil, `{"Uri": %q, "HttpHeaders": {"Accept": "application/dicom+json"}}`, "/"+refs[0].Path()+"/metadata"), &metadata)
	if len(metadata) != 1 || metadata[0]["00280010"] == nil {
		t.Errorf("metadata through Orthanc: %v", metadata)
	}

	// has tells which of the instances Orthanc has, and wants them byte for byte.
	has := func() (count int) {
		for i, ref := range refs {
			var ids []string
			post(t, orthanc+"/tools/find", fmt.Appendf(nil, `{"Level": "Instance", "Query": {"SOPInstanceUID": %q}}`, ref.Instance), &ids)
			if len(ids) == 0 {
				continue
			}
			count++
			if got := body(t.Context(), t, orthanc+"/instances/"+ids[0]+"/file", "*/*"); !bytes.Equal(got, files[i]) {
				t.Errorf("instance %d in Orthanc has %d bytes that are not the %d that were stored", i, len(got), len(files[i]))
			}
		}
		return count
	}
	for _, c := range []struct {
		resource string
		want     int
	}{
		{fmt.Sprintf(`{"Study": %q, "Series": %q, "Instance": %q}`, refs[2].Study, refs[2].Series, refs[2].Instance), 1},
		{fmt.Sprintf(`{"Study": %q, "Series": %q}`, refs[2].Study, refs[2].Series), 5},
		{fmt.Sprintf(`{"Study": %q}`, refs[2].Study), 5},
	} {
		post(t, base+"/retrieve", fmt.Appendf(nil, `{"Resources": [%s], "Synchronous": true}`, c.resource), nil)
		if got := has(); got != c.want {
			t.Errorf("after retrieving %s Orthanc has %d instances, want %d", c.resource, got, c.want)
		}
	}
}

// freePort returns a port of loopback that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startOrthanc starts Orthanc on a port of loopback, with the node as its DICOMweb server "mome".
func startOrthanc(t *testing.T, node string, port int) (base string) {
	t.Helper()
	orthanc, plugin := program(t, "Orthanc"), ""
	for _, path := range []string{"/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so"} {
		if _, err := os.Stat(path); err == nil {
			plugin = path
		}
	}
	if plugin == "" {
		t.Skip("Orthanc's DICOMweb plug-in is not installed")
	}
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
