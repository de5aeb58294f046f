package dicom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// dcmtk runs one of DCMTK's programs on b, and skips the test where it is not installed.
func dcmtk(t *testing.T, b []byte, program string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s of DCMTK is not installed", program)
	}
	in := filepath.Join(t.TempDir(), "in.dcm")
	if err := os.WriteFile(in, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(path, append(args, in)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// TestJSONAgainstDCMTK compares the JSON of the first file of each vendor series, and of an object with every VR,
// with what dcm2json makes of them.
func TestJSONAgainstDCMTK(t *testing.T) {
	eachSample(t, 2<<20, compareJSON)
}

func compareJSON(t *testing.T, name string, b []byte) {
	t.Helper()
	f := scan(t, b)
	ours, err := f.AppendJSON(nil, dicom.JSONOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got := decodeJSON(t, ours)
	want := decodeJSON(t, dcmtk(t, b, "dcm2json", "-q", "-ee"))
	delete(got, tag.SpecificCharacterSet.Hex()) // dcm2json adds one where the object has none
	delete(want, tag.SpecificCharacterSet.Hex())
	for _, line := range difference("", got, want) {
		t.Errorf("%s: %s", name, line)
	}
}

func decodeJSON(t *testing.T, b []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
	return v
}

// difference lists where two JSON values differ. Numbers are compared by value, to 1e-7: we write an FL with the digits
// that a float32 needs, dcm2json with others. dcm2json takes the empty components from the end of a name, we do not.
func difference(path string, got, want any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		var out []string
		for k := range w {
			out = append(out, difference(path+"/"+k, g[k], w[k])...)
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				out = append(out, fmt.Sprintf("%s/%s: got %.100v, want nothing", path, k, g[k]))
			}
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		var out []string
		for i := range w {
			out = append(out, difference(path+"/"+strconv.Itoa(i), g[i], w[i])...)
		}
		return out
	default:
		if sameValue(path, fmt.Sprint(got), fmt.Sprint(want)) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: got %.100v, want %.100v", path, got, want)}
}

func sameValue(path, got, want string) bool {
	if got == want || strings.HasSuffix(path, "/Alphabetic") && strings.TrimRight(got, "^") == want {
		return true
	}
	g, errG := strconv.ParseFloat(got, 64)
	w, errW := strconv.ParseFloat(want, 64)
	return errG == nil && errW == nil && math.Abs(g-w) <= 1e-7*math.Abs(w)
}

// TestDcmdump: DCMTK reads what is written without a complaint.
func TestDcmdump(t *testing.T) {
	for _, ts := range []string{uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian} {
		out := string(dcmtk(t, write(t, everyVR(), ts), "dcmdump", "-v", "+E", "+L"))
		for _, want := range []string{"MRImageStorage", dicom.ImplementationVersionName, `(0002,0001) OB 00\01`} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: dcmdump shows no %q in\n%s", ts, want, out)
			}
		}
		if strings.Contains(out, "W:") || strings.Contains(out, "E:") {
			t.Errorf("%s: dcmdump complains:\n%s", ts, out)
		}
	}
}

// TestEncodings: an object that dcmconv recodes into every encoding of a data set reads the same.
func TestEncodings(t *testing.T) {
	private := regexp.MustCompile(`^[^:]*/[0-9A-F]{3}[13579BDF][0-9A-F]{4}`)
	check := func(t *testing.T, name string, b []byte) {
		want := jsonOf(t, b)
		for _, args := range [][]string{{"+te", "-e"}, {"+ti", "+e"}, {"+ti", "-e"}, {"+tb", "-e"}, {"+td", "+g"}} {
			got := jsonOf(t, dcmconv(t, b, args...))
			for _, line := range difference("", got, want) {
				if args[0] == "+ti" && private.MatchString(line) {
					continue // implicit VR does not tell the VR of a private attribute
				}
				t.Errorf("%s as %v: %s", name, args, line)
			}
		}
	}
	eachSample(t, 1<<20, check)
}

func jsonOf(t *testing.T, b []byte) map[string]any {
	t.Helper()
	j, err := scan(t, b).AppendJSON(nil, dicom.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return decodeJSON(t, j)
}

func dcmconv(t *testing.T, b []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("dcmconv")
	if err != nil {
		t.Skip("dcmconv of DCMTK is not installed")
	}
	in, out := filepath.Join(t.TempDir(), "in.dcm"), filepath.Join(t.TempDir(), "out.dcm")
	if err := os.WriteFile(in, b, 0o600); err != nil {
		t.Fatal(err)
	}
	msg, err := exec.Command(path, append(args, in, out)...).CombinedOutput()
	if bytes.Contains(msg, []byte("not supported")) {
		t.Skipf("this dcmconv cannot do it: %s", msg)
	}
	if err != nil {
		t.Fatalf("dcmconv %v: %v\n%s", args, err, msg)
	}
	if b, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCharacterSetsAgainstDCMTK compares text with what dcmconv makes of it in UTF-8.
func TestCharacterSetsAgainstDCMTK(t *testing.T) {
	for _, c := range standardText() {
		t.Run(c.name, func(t *testing.T) {
			d := object()
			d.SetVR(tag.SpecificCharacterSet, dicom.CS, c.charset)
			d.Put(&dicom.Element{Tag: 0x00091001, VR: c.vr, Value: []byte(c.value)})
			d.SetVR(0x00090010, dicom.LO, "EXAMPLE")
			f := scan(t, dcmconv(t, write(t, d, uid.ExplicitVRLittleEndian), "+U8"))
			if got := f.Dataset.Strings(0x00091001); !slices.Equal(got, c.want) {
				t.Errorf("dcmconv gives %q, we %q", got, c.want)
			}
		})
	}
}
