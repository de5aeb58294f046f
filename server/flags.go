package main

import (
	"time"
)

// nodeFlags are the settings of a node that serve and demo share.
type nodeFlags struct {
	modelFlags

	Addr        string        `default:"127.0.0.1:8080" help:"Address to listen on; port 0 picks a free one and prints it."`
	Data        string        `default:"data" type:"path" help:"Folder of the archive and its index; made if absent."`
	Settle      time.Duration `default:"30s" help:"A study that got nothing new for so long is analysed."`
	Workers     int           `default:"1" help:"Studies analysed at the same time."`
	Attempts    int           `default:"4" help:"Tries before an analysis is given up, with growing pauses between."`
	MaxInstance int64         `default:"4096" placeholder:"MIB" help:"Largest instance that is taken, in MiB."`
	Replace     bool          `help:"Replace a stored instance by another one of the same SOP Instance UID, instead of keeping it."`
	PublicURL   string        `placeholder:"URL" help:"Base URL that clients reach the node at, if a proxy stands in front."`
	Viewer      bool          `negatable:"" default:"true" help:"Serve the viewer that server viewer install put in place."`
	ViewerURL   string        `placeholder:"URL" help:"Link to this viewer instead, with {study} and {series} for their UIDs: https://host/viewer?StudyInstanceUIDs={study}."`
	Serial      string        `default:"1" help:"Device Serial Number of this node, as results name it."`
}
