package web_test

import (
	"strings"
	"testing"

	"mome/server/web"
)

// TestCommitmentOverHTTP asks as a modality that may only store.
func TestCommitmentOverHTTP(t *testing.T) {
	n := controlled(t, web.Config{})
	token := "Authorization: Bearer " + tokenOf("write")
	n.storeAs(t, tokenOf("write"), object{number: 1}.bytes(t))
	const body = `{"00081199":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.4"]},"00081155":{"vr":"UI","Value":["` + series + `.1"]}},` +
		`{"00081150":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.4"]},"00081155":{"vr":"UI","Value":["9.9"]}}]}}`
	const kept, failed = `"00081199":{"vr":"SQ","Value":[{"00081150"`, `"00081197":{"vr":"US","Value":[274]}`
	post := func(transaction, body string) answer {
		return n.do("POST", "/commitment-requests/"+transaction, strings.NewReader(body), token, "Content-Type: application/dicom+json")
	}
	for _, c := range []struct {
		name   string
		got    answer
		status int
		text   string
	}{
		{"asked", post("2.25.7", body), 200, kept},
		{"asked again", post("2.25.7", body), 200, failed},
		{"something else under the same UID", post("2.25.7", strings.ReplaceAll(body, "9.9", "9.8")), 409, "in use"},
		{"malformed UID", post("2.25.x", body), 400, "transaction UID"},
		{"result", n.get("/commitment-requests/2.25.7", token), 200, failed},
		{"result of nothing", n.get("/commitment-requests/2.25.8", token), 404, "by POST"},
		{"by who may only read", n.get("/commitment-requests/2.25.7", "Authorization: Bearer "+tokenOf("read")), 403, "write"},
		{"deleting it", n.do("DELETE", "/commitment-requests/2.25.7", nil, token), 405, "Allow"},
	} {
		if c.got.StatusCode != c.status || !strings.Contains(string(c.got.body), c.text) {
			t.Errorf("%s: %s %s, want %d with %s", c.name, c.got.Status, c.got.body, c.status, c.text)
		}
	}
}
