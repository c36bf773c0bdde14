#!/usr/bin/env python3
# A gated stream in a few lines:  GST_PLUGIN_PATH=target/debug ./gated.py ABCDE-demo FILE-WITH-THE-SECRET
import sys, gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst
Gst.init(None)
pipeline = Gst.parse_launch(
    "videotestsrc is-live=true ! x264enc tune=zerolatency key-int-max=30 ! h264parse ! h5liveauthsink name=sink port=0")
sink = pipeline.get_by_name("sink")
sink.set_property("stream-name", sys.argv[1])
sink.set_property("secret-file", sys.argv[2])
pipeline.set_state(Gst.State.PLAYING)
print(f"http://127.0.0.1:{sink.get_property('bound-port')}/", flush=True)
GLib.MainLoop().run()
