//! ISO/IEC 14496-12 boxes: the init segment and the fragment.
//!
//! ```text
//! ftyp                                     moof
//! moov                                       mfhd
//!   mvhd                                     traf  video, one sample
//!   trak  video, track 1, 90 kHz               tfhd tfdt trun
//!     tkhd  edts/elst (B-frames only)        traf  audio, some frames
//!     mdia  mdhd hdlr                          tfhd tfdt trun
//!       minf  vmhd dinf/dref               mdat
//!         stbl  stsd/(avc1/avcC, hvc1/hvcC or av01/av1C)               the video sample, then the audio frames
//!               stts stsc stsz stco
//!   trak  audio, track 2, its sample rate
//!     (the same with smhd, stsd/mp4a/esds or stsd/Opus/dOps; edts/elst for Opus)
//!   mvex  trex trex
//! ```
//!
//! Leaf boxes of the init segment are `mp4-atom`'s. The sample entries are written here, because
//! avcC, hvcC and AudioSpecificConfig must stand in them byte for byte as the encoder made them.

mod boxes;
mod entry;
mod fragment;
mod init;

pub(crate) use fragment::{AudioFrame, AudioRun, VideoSample, fragment};
pub(crate) use init::{AudioTrack, VideoTrack, init};

/// Ticks a second of the video track.
pub(crate) const VIDEO_TIMESCALE: u32 = 90_000;
const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;

/// sample_flags (8.8.3.1) of a sample that depends on no other.
const SYNC: u32 = 0x0200_0000;
/// sample_flags of one that depends on others and is not a sync sample.
const DELTA: u32 = 0x0101_0000;
