package main

import (
	"time"

	"mome/server/delivery"
)

// nodeFlags are the settings of a node that serve and demo share.
type nodeFlags struct {
	modelFlags
	resultFlags
	accessFlags

	Addr           string        `default:"127.0.0.1:8080" help:"Address to listen on; port 0 picks a free one and prints it."`
	Data           string        `default:"data" type:"path" help:"Folder of the archive and its index; made if absent."`
	Settle         time.Duration `default:"30s" help:"A study that got nothing new for so long is analysed."`
	Workers        int           `default:"1" help:"Studies analysed at the same time."`
	Attempts       int           `default:"4" help:"Tries before an analysis is given up, with growing pauses between."`
	MaxInstance    int64         `default:"4096" placeholder:"MIB" help:"Largest instance that is taken, in MiB."`
	MaxParts       int           `default:"100000" placeholder:"N" help:"Most parts of one Store request."`
	Duplicates     string        `default:"keep" enum:"keep,replace,refuse" help:"Other content under a stored SOP Instance UID: keep the stored one and warn the sender, replace it, or refuse it as a failure (0111H)."`
	PublicURL      string        `placeholder:"URL" help:"Base URL that clients reach the node at, if a proxy stands in front."`
	Viewer         bool          `negatable:"" default:"true" help:"Serve the viewer that server viewer install put in place."`
	ViewerDir      string        `type:"path" placeholder:"DIR" help:"Folder that the viewer was installed in, if not the folder viewer of --data."`
	ViewerURL      string        `placeholder:"URL" help:"Link to this viewer instead, with {study} and {series} for their UIDs: https://host/viewer?StudyInstanceUIDs={study}."`
	Explain        bool          `default:"true" negatable:"" help:"Explain findings by heat maps, a fifth of a second of CPU time each with the built-in weights."`
	Forward        []string      `sep:"none" placeholder:"URL" help:"DICOMweb root of a PACS that gets every result by STOW-RS, with user:password@ if it asks for them; may be repeated."`
	ForwardSources bool          `help:"Forward the analysed instances too, before their results."`
	Webhook        []string      `sep:"none" placeholder:"URL" help:"Address that is told by POST when a study's results are stored; may be repeated."`
	WebhookSecret  string        `placeholder:"TEXT" help:"Signs webhooks: HMAC-SHA256 of the body in X-Mome-Signature. Better given as MOME_WEBHOOK_SECRET."`

	Workitems bool   `default:"true" negatable:"" help:"Serve a worklist (UPS-RS): each analysis is a workitem, and a workitem can ask for one."`
	AETitle   string `name:"ae-title" default:"MOME" placeholder:"TITLE" help:"Application Entity title of this node, by which workitems name it as their station."`

	Serial string `default:"1" help:"Device Serial Number of this node, as results name it."`
}

// targets are who results are delivered to.
func (f *nodeFlags) targets() (out []delivery.Target) {
	for _, u := range f.Forward {
		out = append(out, delivery.Target{Kind: delivery.STOW, URL: u, Sources: f.ForwardSources})
	}
	for _, u := range f.Webhook {
		out = append(out, delivery.Target{Kind: delivery.Webhook, URL: u})
	}
	return out
}
