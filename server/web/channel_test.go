package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"mome/dicomweb/archive"
	"mome/dicomweb/ups"
	"mome/server/access"
	"mome/server/web"
)

// TestWhoMayOpenAChannel: another site's page may where everybody may everything, or where it is named.
func TestWhoMayOpenAChannel(t *testing.T) {
	token, line, err := access.NewToken("watcher", access.Read)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := access.NewSecrets(access.SecretsConfig{List: []string{strings.ReplaceAll(line, " ", ":")}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := access.NewGuard(access.Config{Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, origin string
		cfg          web.Config
		want         int
	}{
		{"a program", "", web.Config{}, 101},
		{"a program with a token", "", web.Config{Access: guard}, 101},
		{"any page on an open node", "http://viewer.example", web.Config{}, 101},
		{"any page with access control", "http://viewer.example", web.Config{Access: guard}, 403},
		{"the named page with access control", "http://viewer.example", web.Config{Access: guard, Origins: []string{"http://viewer.example"}}, 101},
		{"another page than the named one", "http://evil.example", web.Config{Origins: []string{"http://viewer.example"}}, 403},
		{"the page of the public URL", "https://pacs.example", web.Config{Access: guard, PublicURL: "https://pacs.example/mome"}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			c.cfg.Archive = a
			if c.cfg.Worklist, err = ups.Open(t.Context(), ups.Config{Database: a}); err != nil {
				t.Fatal(err)
			}
			defer c.cfg.Worklist.Close(context.Background())
			n := start(t, c.cfg)
			header := http.Header{"Authorization": {"Bearer " + token}}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			conn, resp, err := websocket.Dial(t.Context(), n.dicom+"/subscribers/WATCHER", &websocket.DialOptions{HTTPHeader: header})
			if err == nil {
				defer conn.CloseNow()
			}
			if resp == nil || resp.StatusCode != c.want {
				t.Errorf("got %v %v, want %d", resp, err, c.want)
			}
		})
	}
}
