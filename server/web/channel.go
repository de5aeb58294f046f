package web

import "net/url"

// channelOrigins are the sites whose pages may open a channel of events. CORS does not bind WebSockets, and browsers send a
// password or certificate that they hold along: where there is access control, no other site is let in that is not named.
func (c Config) channelOrigins() (origins []string) {
	for _, origin := range c.Origins {
		if origin != "*" || c.Access == nil {
			origins = append(origins, origin)
		}
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		origins = append(origins, u.Scheme+"://"+u.Host)
	}
	return origins
}
