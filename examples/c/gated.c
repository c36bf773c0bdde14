/* A gated test picture, by an application in C that has a word on each client.
 *
 *   meson setup build -Dexamples=true && meson compile -C build
 *   GST_PLUGIN_PATH=build/plugins/h5live build/examples/c/gated ABCDE-demo FILE-WITH-THE-SECRET "the guest"
 *
 * Whoever has a token for the stream plays, unless it has another tag than the one that was given.
 */
#include <gst/gst.h>

/* The verifier has let the client in. FALSE refuses it all the same; TRUE agrees, once the promise is replied
 * to: here at once, and with nothing to narrow. Called on a thread of the element's own. */
static gboolean authorize(GstElement *sink, GstStructure *request, GstPromise *answer, gpointer tag)
{
    (void)sink;
    if (g_strcmp0(gst_structure_get_string(request, "tag"), tag) != 0)
        return FALSE;
    gst_promise_reply(answer, NULL);
    return TRUE;
}

static void added(GstElement *sink, guint64 id, GstStructure *client, gpointer data)
{
    (void)sink, (void)data;
    g_print("client %" G_GUINT64_FORMAT " at %s plays\n", id,
            gst_structure_get_string(client, "client-address"));
}

static void removed(GstElement *sink, guint64 id, GstStructure *client, gpointer data)
{
    (void)sink, (void)data;
    g_print("client %" G_GUINT64_FORMAT " is gone: %s\n", id, gst_structure_get_string(client, "reason"));
}

static GstElement *make(GstBin *pipeline, const gchar *factory)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    if (element == NULL)
        g_error("there is no element %s; is GST_PLUGIN_PATH set?", factory);
    gst_bin_add(pipeline, element);
    return element;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer loop)
{
    (void)bus;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        g_printerr("%s\n", error->message);
        g_error_free(error);
        g_main_loop_quit(loop);
    }
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    if (argc != 4) {
        g_printerr("usage: gated STREAM SECRET-FILE TAG\n");
        return 2;
    }
    GstElement *pipeline = gst_pipeline_new(NULL);
    GstElement *source = make(GST_BIN(pipeline), "videotestsrc");
    GstElement *encoder = make(GST_BIN(pipeline), "x264enc");
    GstElement *parser = make(GST_BIN(pipeline), "h264parse");
    GstElement *sink = make(GST_BIN(pipeline), "h5liveauthsink");
    g_object_set(source, "is-live", TRUE, NULL);
    gst_util_set_object_arg(G_OBJECT(encoder), "tune", "zerolatency");
    g_object_set(encoder, "key-int-max", 30, NULL);
    g_object_set(sink, "stream-name", argv[1], "secret-file", argv[2], "port", 0, NULL);
    g_signal_connect(sink, "authorize-client", G_CALLBACK(authorize), argv[3]);
    g_signal_connect(sink, "client-added", G_CALLBACK(added), NULL);
    g_signal_connect(sink, "client-removed", G_CALLBACK(removed), NULL);
    if (!gst_element_link_many(source, encoder, parser, sink, NULL))
        g_error("the elements can't be linked");

    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_bus_add_watch(bus, on_message, loop);
    gst_object_unref(bus);
    GstStateChangeReturn change = gst_element_set_state(pipeline, GST_STATE_PLAYING);
    if (change != GST_STATE_CHANGE_FAILURE) {
        guint port;
        g_object_get(sink, "bound-port", &port, NULL);
        g_print("http://127.0.0.1:%u/\n", port);
    }
    g_main_loop_run(loop);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    g_main_loop_unref(loop);
    return 1;
}
