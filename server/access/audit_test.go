package access_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/server/access"
)

func TestAuditFile(t *testing.T) {
	file, at := filepath.Join(t.TempDir(), "audit"), newClock()
	open := func() *access.Audit {
		a, err := access.NewAudit(access.AuditConfig{Path: file, Source: "node", Now: at.now})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	a.Started()
	a.Write(access.Event{Kind: access.Query(), Status: 200, Peer: "alice", Address: "192.0.2.1"})
	if err := os.Rename(file, file+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	a.Write(access.Event{Kind: access.Stored(), Status: 503, Peer: "scanner", Address: "192.0.2.2", Studies: []string{"1.2.3", "1.2.4"}})
	a.Stopped()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open()
	a.Started()
	a.Close()
	for name, want := range map[string][]string{
		file + ".1": {
			`{"EventIdentification":{"EventID":{"csd-code":"110100","codeSystemName":"DCM","originalText":"Application Activity"},"EventActionCode":"E","EventDateTime":"2026-01-02T03:04:05Z","EventOutcomeIndicator":0,"EventTypeCode":[{"csd-code":"110120","codeSystemName":"DCM","originalText":"Application Start"}]},"ActiveParticipant":[{"UserID":"node","UserIsRequestor":true,"RoleIDCode":{"csd-code":"110150","codeSystemName":"DCM","originalText":"Application"}}],"AuditSourceIdentification":{"AuditSourceID":"node"}}`,
			`"csd-code":"110112"`,
		},
		file: {`"EventOutcomeIndicator":8,"EventOutcomeDescription":"HTTP 503"`, `"110121"`, `"110120"`},
	} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		if len(lines) != len(want) {
			t.Errorf("%s has %d lines, want %d:\n%s", filepath.Base(name), len(lines), len(want), b)
			continue
		}
		for i := range want {
			if !strings.Contains(lines[i], want[i]) {
				t.Errorf("%s, line %d: %s\nwant %s", filepath.Base(name), i, lines[i], want[i])
			}
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

func TestNoAudit(t *testing.T) {
	var a *access.Audit
	a.Started()
	a.Write(access.Event{})
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
