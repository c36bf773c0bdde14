//! A real publisher: ffmpeg or GStreamer encodes a test picture and a tone and pushes them by RTMP.

use std::process::Command;

use tempfile::TempDir;

use super::origin::Origin;
use super::process::Process;

/// A clock is a row of so many bars of equal width at the top of the picture, an eighth of it high: the
/// hundredths of a second since 1970 in binary, white for one, the least of them on the left.
pub const CLOCK_BITS: u32 = 16;

/// Which program publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// ffmpeg with libx264 and its own AAC encoder.
    Ffmpeg,
    /// gst-launch-1.0 with x264enc, voaacenc, flvmux and rtmp2sink.
    GStreamer,
}

/// What is published.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who publishes.
    pub tool: Tool,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Consecutive B-frames; 0 encodes with the least delay.
    pub bframes: u32,
    /// Frames from one keyframe to the next.
    pub keyframe_interval: u32,
    /// Video bit rate in kbit/s.
    pub video_kbits: u32,
    /// Whether there is a picture.
    pub video: bool,
    /// Whether there is a tone, 440 Hz, in AAC.
    pub audio: bool,
    /// Whether the picture (ffmpeg's) says when it was made; see [`CLOCK_BITS`].
    pub clock: bool,
    /// Samples per second.
    pub sample_rate: u32,
    /// How many channels the tone has.
    pub channels: u32,
    /// Ends by itself after that many seconds of media; goes on until stopped when `None`.
    pub seconds: Option<u32>,
}

impl Default for Options {
    /// 640x360 at 30 frames per second, a keyframe a second, no B-frames, with sound in stereo at 48 kHz,
    /// by ffmpeg.
    fn default() -> Options {
        Options {
            tool: Tool::Ffmpeg,
            width: 640,
            height: 360,
            fps: 30,
            bframes: 0,
            keyframe_interval: 30,
            video_kbits: 800,
            video: true,
            audio: true,
            clock: false,
            sample_rate: 48_000,
            channels: 2,
            seconds: None,
        }
    }
}

/// A running publisher. Dropping it ends it.
pub struct Publisher {
    process: Process,
    // After `process`, which writes into it until it has ended.
    _directory: TempDir,
}

impl Publisher {
    /// Publishes `stream` to the application `live` of `origin`, and waits until the origin has it.
    pub fn start(origin: &Origin, stream: &str, options: &Options) -> Publisher {
        let before = origin.publications(stream);
        let mut publisher =
            Publisher::start_at(&format!("{}/{stream}", origin.url("live")), options);
        publisher
            .process
            .wait_until("the origin to have its stream", |_| {
                (origin.publications(stream) > before).then_some(())
            });
        publisher
    }

    /// Publishes to an RTMP address with the stream's name in it, and does not wait.
    pub fn start_at(location: &str, options: &Options) -> Publisher {
        assert!(
            options.video || options.audio,
            "a publisher needs something to publish"
        );
        let directory = TempDir::new().expect("a temporary directory can be made");
        let (name, mut command) = match options.tool {
            Tool::Ffmpeg => ("ffmpeg", ffmpeg(location, options)),
            Tool::GStreamer => ("gst-launch-1.0", gst_launch(location, options)),
        };
        let process = Process::start(name, &mut command, &directory.path().join("publisher.log"));
        Publisher {
            process,
            _directory: directory,
        }
    }

    /// What the publisher has written.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it; the origin sees the stream go.
    pub fn stop(mut self) {
        self.process.stop();
    }

    /// Kills it without warning: the connection breaks without a goodbye.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Stops it in its tracks: the stream falls silent, the connection stays.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on after [`Publisher::freeze`].
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Waits until it ends by itself, which needs [`Options::seconds`]. Panics when it fails.
    pub fn finish(mut self) {
        let status = self.process.wait_for_exit();
        assert!(
            status.success(),
            "the publisher failed ({status})\n{}",
            self.log()
        );
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }
}

fn ffmpeg(location: &str, options: &Options) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "warning", "-nostdin"]);
    let mut input = |graph: String| {
        command.args(["-re", "-f", "lavfi", "-i", &graph]);
    };
    if options.video {
        let Options {
            width, height, fps, ..
        } = options;
        let clock = if options.clock {
            clock(*fps)
        } else {
            String::new()
        };
        input(format!("testsrc2=size={width}x{height}:rate={fps}{clock}"));
    }
    if options.audio {
        let rate = options.sample_rate;
        input(format!("sine=frequency=440:sample_rate={rate}"));
    }
    if options.video {
        let interval = options.keyframe_interval.to_string();
        let bframes = options.bframes.to_string();
        let rate = format!("{}k", options.video_kbits);
        command.args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
        ]);
        if options.bframes == 0 {
            command.args(["-tune", "zerolatency"]);
        }
        command.args(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate]);
        command.args([
            "-g",
            &interval,
            "-keyint_min",
            &interval,
            "-sc_threshold",
            "0",
        ]);
        command.args(["-bf", &bframes, "-b_strategy", "0"]);
    }
    if options.audio {
        let channels = options.channels.to_string();
        command.args(["-c:a", "aac", "-b:a", "96k", "-ac", &channels]);
    }
    if let Some(seconds) = options.seconds {
        command.args(["-t", &seconds.to_string()]);
    }
    command.args(["-f", "flv", location]);
    command
}

/// Filters that draw it: `enable` is the one expression that knows a frame's time, so each frame has the
/// time of day while the bars are drawn.
fn clock(fps: u32) -> String {
    let mut filters =
        ",settb=1/1000,setpts=RTCTIME/1000,drawbox=h=ih/8:color=black:t=fill".to_owned();
    for bit in 0..CLOCK_BITS {
        filters += &format!(
            ",drawbox=x=iw*{bit}/{CLOCK_BITS}:w=iw/{CLOCK_BITS}:h=ih/8:color=white:t=fill:\
             enable='mod(floor(t*100/pow(2,{bit})),2)'"
        );
    }
    filters + &format!(",setpts=N/{fps}/TB")
}

fn gst_launch(location: &str, options: &Options) -> Command {
    let mut pipeline = format!("flvmux name=mux streamable=true ! rtmp2sink location={location}");
    if options.video {
        let Options {
            width,
            height,
            fps,
            bframes,
            keyframe_interval,
            video_kbits,
            ..
        } = options;
        let buffers = options
            .seconds
            .map_or(-1, |seconds| i64::from(seconds) * i64::from(*fps));
        let tune = if *bframes == 0 {
            "tune=zerolatency"
        } else {
            "b-adapt=false"
        };
        pipeline += &format!(
            " videotestsrc is-live=true pattern=ball num-buffers={buffers} \
             ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
             ! x264enc speed-preset=ultrafast {tune} bframes={bframes} key-int-max={keyframe_interval} \
               bitrate={video_kbits} option-string=scenecut=0 \
             ! h264parse ! queue ! mux."
        );
    }
    if options.audio {
        let Options {
            sample_rate,
            channels,
            ..
        } = options;
        // 1024 samples are one AAC frame.
        let buffers = options.seconds.map_or(-1, |seconds| {
            i64::from(seconds) * i64::from(*sample_rate) / 1024
        });
        pipeline += &format!(
            " audiotestsrc is-live=true freq=440 samplesperbuffer=1024 num-buffers={buffers} \
             ! audio/x-raw,rate={sample_rate},channels={channels} ! voaacenc bitrate=96000 ! aacparse ! queue ! mux."
        );
    }
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-e").args(pipeline.split_whitespace());
    command
}
