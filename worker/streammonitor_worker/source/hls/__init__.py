"""HTTP Live Streaming (RFC 8216): playlists are read by us, segments are fetched by us.

    opening ── transport ── feed ── playlist      which segment comes next, and when
                   └─ reader ── resources         its bytes, from where they may come
                          └──── decryption

The media library sees a stream of bytes per rendition; that there are playlists it never knows.
"""
