package benchmark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Target is a server to be measured. Close ends what was started for it.
type Target struct {
	Name    string      // of its column
	Version string      // as the server says
	URL     string      // root of its DICOMweb services, without a slash at the end
	PID     int         // of its process on this machine, 0 where it is not known: then there is no CPU time
	Header  http.Header // of every request, such as Authorization

	http   *http.Client
	cmd    *exec.Cmd
	folder string // made for it
	debug  string // URL of a node's profiling listener, "" without
}

// At is a server that runs already.
func At(name, root string, pid int) (*Target, error) {
	u, err := url.Parse(root)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is no address of DICOMweb services: http(s)://host[:port]/path is expected", root)
	}
	return &Target{Name: name, URL: strings.TrimRight(root, "/"), PID: pid, http: newClient()}, nil
}

// newClient keeps a connection for each client; it asks for compression by itself and decompresses nothing.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}}
}

var announced = regexp.MustCompile(`DICOMweb +(http://\S+/dicom-web)`)

// startLimit is how long a server may take to start.
const startLimit = time.Minute

// StartNode starts the node that program is, as "program serve", on a free port of loopback over an empty archive in a
// temporary folder below dir. It analyses nothing while it is measured.
func StartNode(ctx context.Context, name, program, dir string, profiled bool) (t *Target, err error) {
	t = &Target{Name: name, http: newClient()}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if t.folder, err = os.MkdirTemp(dir, "benchmark-node-"); err != nil {
		return t, err
	}
	args := []string{"serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(t.folder, "data"), "--settle", "10000h"}
	if profiled {
		port, err := freePort(ctx)
		if err != nil {
			return t, err
		}
		t.debug = fmt.Sprintf("http://127.0.0.1:%d", port)
		args = append(args, "--profile-addr", fmt.Sprintf("127.0.0.1:%d", port))
	}
	t.cmd = exec.Command(program, args...)
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return t, err
	}
	t.cmd.Stderr = os.Stderr
	if err := t.cmd.Start(); err != nil {
		return t, fmt.Errorf("start the node %s: %w", program, err)
	}
	t.PID = t.cmd.Process.Pid
	found := make(chan string, 1)
	go func() { // ends with the process, which closes its end
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := announced.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	select {
	case t.URL = <-found:
	case <-time.After(startLimit):
	case <-ctx.Done():
		return t, ctx.Err()
	}
	if t.URL == "" {
		return t, fmt.Errorf("%s does not say where it serves DICOMweb", program)
	}
	return t, nil
}

// plugins are where Debian and Orthanc's own packages put the DICOMweb plug-in.
var plugins = [...]string{"/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so"}

// StartOrthanc starts Orthanc with its DICOMweb plug-in, "" for the one that Debian installs, on a free port of
// loopback over an empty archive in a temporary folder below dir. All settings but addresses are Orthanc's own defaults:
// files are not compressed.
func StartOrthanc(ctx context.Context, program, plugin, dir string) (t *Target, err error) {
	t = &Target{Name: "Orthanc", http: newClient()}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	for _, path := range plugins {
		if _, err := os.Stat(path); err == nil && plugin == "" {
			plugin = path
		}
	}
	if plugin == "" {
		return t, fmt.Errorf("Orthanc's DICOMweb plug-in is not installed (Debian: orthanc-dicomweb)")
	}
	if t.folder, err = os.MkdirTemp(dir, "benchmark-orthanc-"); err != nil {
		return t, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return t, err
	}
	config, err := json.Marshal(map[string]any{
		"Name": "benchmark", "StorageDirectory": t.folder, "IndexDirectory": t.folder, "StorageCompression": false, "Plugins": []string{plugin},
		"HttpPort": port, "HttpBindAddresses": []string{"127.0.0.1"}, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
		"DicomServerEnabled": false, "DicomWeb": map[string]any{"Enable": true},
	})
	if err != nil {
		return t, err
	}
	path := filepath.Join(t.folder, "orthanc.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return t, err
	}
	t.cmd = exec.Command(program, path)
	if err := t.cmd.Start(); err != nil {
		return t, fmt.Errorf("start Orthanc: %w", err)
	}
	t.PID = t.cmd.Process.Pid
	root := fmt.Sprintf("http://127.0.0.1:%d", port)
	t.URL = root + "/dicom-web"
	own, err := t.await(ctx, root+"/system")
	if err != nil {
		return t, err
	}
	web, err := t.version(ctx, root+"/plugins/dicom-web")
	t.Version = own + ", DICOMweb plug-in " + web
	return t, err
}

// await polls until the server answers with its version.
func (t *Target) await(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := t.version(ctx, address)
		if err == nil {
			return v, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not answer: %w", t.Name, err)
		}
	}
}

func (t *Target) version(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var v struct{ Version string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&v)
	if err == nil && v.Version == "" {
		err = errors.New("no Version in the answer")
	}
	if err != nil {
		return "", fmt.Errorf("%s tells no version: %s: %w", address, resp.Status, err)
	}
	return v.Version, nil
}

// freePort returns a port of loopback that was free a moment ago.
func freePort(ctx context.Context) (int, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// cpu returns the CPU time of the server's process so far, 0 where it is not known.
func (t *Target) cpu() (time.Duration, error) {
	if t.PID == 0 {
		return 0, nil
	}
	return cpuTime(t.PID)
}

// endLimit is how long a server may take to end when it is asked to.
const endLimit = 20 * time.Second

// Close ends the process that was started and removes its folder.
func (t *Target) Close() error {
	t.http.CloseIdleConnections()
	if t.cmd != nil && t.cmd.Process != nil {
		t.cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(endLimit, func() { t.cmd.Process.Kill() })
		t.cmd.Wait() // how it ended says nothing about what was measured
		late.Stop()
	}
	if t.folder == "" {
		return nil
	}
	return os.RemoveAll(t.folder)
}
