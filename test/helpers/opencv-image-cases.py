"""Small image files of many kinds with what OpenCV reads of them → test/fixtures/opencv-images.json.

    pip install opencv-python-headless==5.0.0.93 pillow tifffile imagecodecs
    python test/helpers/opencv-image-cases.py test/fixtures/opencv-images.json
"""

import base64
import hashlib
import io
import json
import os
import struct
import sys
import tempfile
import zlib

import numpy as np
from PIL import Image
import tifffile, imagecodecs, cv2
TARGET = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp())
rng=np.random.default_rng(0)
yy,xx=np.mgrid[0:13,0:19]
rgb=np.stack([(xx*13)%256,(yy*19)%256,((xx+yy)*9)%256],-1).astype(np.uint8); rgb[2:6,3:9]=[250,10,20]
im=Image.fromarray(rgb)
def exif(o,typ=3,end='<',before=b'',n=1,cnt=1):
    mark=b'II' if end=='<' else b'MM'
    if typ==3: val=struct.pack(end+'HH',o,0)
    elif typ==1: val=struct.pack(end+'BBBB',o,0,0,0)
    else: val=struct.pack(end+'I',o)
    ent=struct.pack(end+'HHI',0x112,typ,cnt)+val
    return mark+struct.pack(end+'HI',42,8)+struct.pack(end+'H',n)+before+ent+struct.pack(end+'I',0)
def jpg(app=[],**k):
    b=io.BytesIO(); im.save(b,'JPEG',quality=95,**k); b=b.getvalue()
    s=b''.join(b'\xff\xe1'+struct.pack('>H',len(a)+2)+a for a in app)
    return b[:2]+s+b[2:]
E6=b'Exif\0\0'
def w(n,b): open(n,'wb').write(b)
for o in (3,6):
  for t in (1,3,4):
    for e in '<>':
      w(f'jpg_o{o}_t{t}_{"le" if e=="<" else "be"}.jpg',jpg([E6+exif(o,t,e)]))
w('jpg_two_6_3.jpg',jpg([E6+exif(6),E6+exif(3)]))
w('jpg_two_none_3.jpg',jpg([E6+exif(6)[:8]+struct.pack('<H',0)+b'\0'*4,E6+exif(3)]))
w('jpg_o9.jpg',jpg([E6+exif(9)])); w('jpg_trunc.jpg',jpg([E6+exif(6)[:18]]))
w('jpg_noprefix.jpg',jpg([exif(6)])); w('jpg_otherprefix.jpg',jpg([b'ABCDEF'+exif(6)]))
bad=struct.pack('<HHI',0x10f,2,500)+struct.pack('<I',9999)
w('jpg_badbefore.jpg',jpg([E6+exif(6,before=bad,n=2)]))
w('jpg_dup.jpg',jpg([E6+exif(6,before=struct.pack('<HHIHH',0x112,3,1,3,0),n=2)]))
for m in ('CMYK',):
    c=im.convert('CMYK'); c.putalpha if 0 else None
    a=np.array(c); a[...,3]=(xx*2)%200
    for q,ss in ((95,0),(80,2)):
        b=io.BytesIO(); Image.fromarray(a,'CMYK').save(b,'JPEG',quality=q,subsampling=ss); w(f'jpg_cmyk_pil{q}.jpg',b.getvalue())
        # without Adobe marker
        d=b.getvalue(); i=d.find(b'\xff\xee'); 
        if i>0: n=struct.unpack('>H',d[i+2:i+4])[0]; w(f'jpg_cmyk_noadobe{q}.jpg',d[:i]+d[i+2+n:])
        if i>0: w(f'jpg_cmyk_tr2_{q}.jpg',d[:i+15]+b'\x02'+d[i+16:])
        w(f'jpg_cmyk_ori6_{q}.jpg',d[:2]+b'\xff\xe1'+struct.pack('>H',len(E6+exif(6))+2)+E6+exif(6)+d[2:])
def chunk(t,d): return struct.pack('>I',len(d))+t+d+struct.pack('>I',zlib.crc32(t+d))
def png(pre=[],post=[],arr=rgb,ct=2,depth=8,plte=None):
    raw=b''.join(b'\0'+r.tobytes() for r in arr)
    h=struct.pack('>IIBBBBB',arr.shape[1],arr.shape[0],depth,ct,0,0,0)
    return b'\x89PNG\r\n\x1a\n'+chunk(b'IHDR',h)+b''.join(chunk(*p) for p in pre)+chunk(b'IDAT',zlib.compress(raw))+b''.join(chunk(*p) for p in post)+chunk(b'IEND',b'')
for o in (2,3,4,5,6,7,8):
    w(f'png_pre{o}.png',png([(b'eXIf',exif(o))])); w(f'png_post{o}.png',png([],[(b'eXIf',exif(o))]))
for t in (1,4):
  for e in '<>':
    for p in (0,1):
      x=[(b'eXIf',exif(6,t,e))]; w(f'png_t{t}{"le" if e=="<" else "be"}{p}.png',png(x if p else [],[] if p else x))
w('png_prefix.png',png([(b'eXIf',E6+exif(6))])); w('png_two.png',png([(b'eXIf',exif(6))],[(b'eXIf',exif(3))]))
hexs=(E6+exif(6)).hex(); rp=b'Raw profile type exif\0'
def prof(name,z): 
    t='\nexif\n%8d\n'%(len(hexs)//2)+'\n'.join(hexs[i:i+72] for i in range(0,len(hexs),72))+'\n'
    t=t.encode()
    return (b'zTXt',name+b'\0\0'+zlib.compress(t)) if z else (b'tEXt',name+b'\0'+t)
for nm in (b'exif',b'APP1'):
  for z in (0,1):
    w(f'png_raw_{nm.decode()}_{z}.png',png([prof(b'Raw profile type '+nm,z)])); w(f'png_rawpost_{nm.decode()}_{z}.png',png([],[prof(b'Raw profile type '+nm,z)]))
w('png_rawand.png',png([prof(b'Raw profile type exif',1),(b'eXIf',exif(3))]))
w('png_rgb16.png',png(arr=(rgb.astype('>u2')*257-3).astype('>u2'),depth=16)); 
w('png_rgb_trns.png',png([(b'tRNS',struct.pack('>HHH',250,10,20))]))
for f in ('lossy','lossless'):
    for o in (1,6,8,3):
        for pre in (0,1):
            b=io.BytesIO(); im.save(b,'WEBP',lossless=f=='lossless',exif=(E6 if pre else b'')+exif(o)); w(f'webp_{f}_{o}_{pre}.webp',b.getvalue())
b=io.BytesIO(); im.save(b,'WEBP',lossless=True,exif=exif(6,4,'>')); w('webp_long_be.webp',b.getvalue())
b=io.BytesIO(); im.save(b,'WEBP',lossless=True,exif=exif(6,4,'<')); w('webp_long_le.webp',b.getvalue())
ra=np.dstack([rgb,(xx*13%256).astype(np.uint8)])
b=io.BytesIO(); Image.fromarray(ra).save(b,'WEBP',lossless=True,exact=True); w('webp_rgba_exact.webp',b.getvalue())
fr=[Image.fromarray(np.roll(ra,i*9,1)) for i in range(3)]
b=io.BytesIO(); fr[0].save(b,'WEBP',save_all=True,append_images=fr[1:],lossless=True); w('webp_anim.webp',b.getvalue())
# TIFF
T=tifffile.imwrite
for o in range(1,9):
  for dt in ('u1','u2'):
    for g in ('rgb','grey'):
      a=rgb if g=='rgb' else rgb[...,0]
      a=a if dt=='u1' else a.astype('u2')*257-3
      T(f'tif_{g}_{dt}_o{o}.tif',a,photometric='rgb' if g=='rgb' else 'minisblack',extratags=[(274,3,1,o,True)])
for c in ('lzw','deflate','packbits','zstd','lzma','webp'):
  for p in (False,True):
    for dt in ('u1','u2'):
      try: T(f'tif_{c}_{p}_{dt}.tif',rgb if dt=='u1' else rgb.astype('u2')*257-3,compression=c,predictor=p,photometric='rgb')
      except Exception as e: print(c,p,dt,e)
T('tif_tiled.tif',np.tile(rgb,(2,2,1)),tile=(32,32),photometric='rgb'); T('tif_be.tif',rgb,byteorder='>',photometric='rgb'); T('tif_be16.tif',rgb.astype('u2')*257-3,byteorder='>',photometric='rgb')
T('tif_rgba.tif',ra,photometric='rgb',extrasamples=['unassalpha']); T('tif_rgba_assoc.tif',ra,photometric='rgb',extrasamples=['assocalpha'])
T('tif_rgba_unspec.tif',ra,photometric='rgb',extrasamples=['unspecified'])
T('tif_rgba16.tif',ra.astype('u2')*257-3,photometric='rgb',extrasamples=['unassalpha'])
T('tif_greya.tif',ra[...,2:4],photometric='minisblack',extrasamples=['unassalpha'],planarconfig='contig')
T('tif_f32.tif',rgb.astype('f4')/255,photometric='rgb'); T('tif_f32grey.tif',rgb[...,0].astype('f4'),photometric='minisblack'); T('tif_f64.tif',rgb.astype('f8'),photometric='rgb'); T('tif_f16.tif',rgb.astype('f2'),photometric='rgb')
T('tif_i16.tif',rgb.astype('i2')*100,photometric='rgb'); T('tif_i8.tif',rgb.astype('i1'),photometric='rgb'); T('tif_u32.tif',rgb.astype('u4')*16843009,photometric='rgb'); T('tif_u32g.tif',rgb[...,0].astype('u4')*16843009,photometric='minisblack'); T('tif_i32.tif',rgb.astype('i4'),photometric='rgb')
T('tif_miniswhite.tif',rgb[...,0],photometric='miniswhite'); T('tif_planar.tif',rgb.transpose(2,0,1).copy(),photometric='rgb',planarconfig='separate'); T('tif_planar16.tif',(rgb.transpose(2,0,1).astype('u2')*257-3),photometric='rgb',planarconfig='separate')
T('tif_cmyk.tif',np.array(im.convert('CMYK')),photometric='separated'); T('tif_cmyk16.tif',np.array(im.convert('CMYK')).astype('u2')*257,photometric='separated')
T('tif_multi.tif',np.stack([rgb,255-rgb]),photometric='rgb'); T('tif_bits.tif',(rgb[...,0]>100),photometric='minisblack'); T('tif_bitsw.tif',(rgb[...,0]>100),photometric='miniswhite')
im.convert('L').quantize(16).save('tif_pal4.tif'); im.quantize(200).save('tif_pal8.tif'); im.quantize(200).save('tif_pal8lzw.tif',compression='tiff_lzw'); im.convert('1').save('tif_1.tif'); im.convert('1').save('tif_1g3.tif',compression='group3'); im.convert('LA').save('tif_la.tif'); im.convert('LAB').save('tif_lab.tif'); im.convert('YCbCr').save('tif_ycbcr.tif')
pal16=np.array(im.quantize(200)); cm=(np.random.default_rng(1).integers(0,65536,(3,256))).astype('u2'); T('tif_pal_full16.tif',pal16,photometric='palette',colormap=cm); T('tif_pal_low.tif',pal16,photometric='palette',colormap=cm//256)
T('tif_pal_o3.tif',pal16,photometric='palette',colormap=cm,extratags=[(274,3,1,3,True)])
for b_ in (10,12,14):
    try: T(f'tif_b{b_}.tif',rgb.astype('u2')*4,bitspersample=b_,photometric='rgb')
    except Exception as e: print(b_,e)
for b_ in (2,4):
    try: T(f'tif_g{b_}.tif',(rgb[...,0]>>(8-b_)),bitspersample=b_,photometric='minisblack')
    except Exception as e: print(b_,e)
T('tif_oriLong.tif',rgb,photometric='rgb',extratags=[(274,4,1,3,True)])
T('tif_jpeg.tif',np.tile(rgb,(2,2,1))[:80,:112],compression='jpeg',photometric='ycbcr',tile=(16,16))
T('tif_jpegrgb.tif',np.tile(rgb,(2,2,1))[:80,:112],compression='jpeg',photometric='rgb',tile=(16,16))
G16 = rng.integers(0, 65536, (9, 11)).astype('u2')
C16 = rng.integers(0, 65536, (9, 11, 4)).astype('u2')
T('noise_grey16.tif', G16, photometric='minisblack')
T('noise_miniswhite16.tif', G16, photometric='miniswhite')
T('noise_rgb16.tif', C16[..., :3].copy(), photometric='rgb')
for extra in ('unassalpha', 'assocalpha', 'unspecified'):
    T(f'noise_rgba16_{extra}.tif', C16, photometric='rgb', extrasamples=[extra])
    T(f'noise_rgba8_{extra}.tif', (C16 >> 8).astype('u1'), photometric='rgb', extrasamples=[extra])
    T(f'noise_grey16_{extra}.tif', C16[..., :2].copy(), photometric='minisblack', planarconfig='contig', extrasamples=[extra])
T('noise_i16.tif', C16[..., :3].copy().view('i2'), photometric='rgb')
T('noise_cmyk.tif', (C16 >> 8).astype('u1'), photometric='separated')
P8 = (C16 >> 8).astype('u1')
for count in (2, 3):
    T(f'samples{count}_contig.tif', P8[..., :count].copy(), photometric='minisblack', planarconfig='contig')
    T(f'samples{count}_planes.tif', P8[..., :count].transpose(2, 0, 1).copy(), photometric='minisblack', planarconfig='separate')
T('samples5_contig.tif', np.dstack([P8, P8[..., :1]]), photometric='minisblack', planarconfig='contig')
T('planes_rgba.tif', P8.transpose(2, 0, 1).copy(), photometric='rgb', planarconfig='separate', extrasamples=['unassalpha'])
block = b'II*\0' + struct.pack('<IHHHIHHI', 8, 1, 0x113, 3, 1, 6, 0, 0)
b = io.BytesIO()
im.save(b, 'AVIF', quality=100, subsampling='4:4:4', exif=block)
d = b.getvalue()
i = d.find(struct.pack('<HHI', 0x113, 3, 1))
w('avif_realexif6.avif', d[:i] + struct.pack('<H', 0x112) + d[i + 2:])
# AVIF
for q in (100,60):
    im.save(f'avif_pil{q}.avif',quality=q,subsampling='4:4:4')
im.save('avif_exif6.avif',quality=90,exif=exif(6)); im.save('avif_exif6p.avif',quality=90,exif=E6+exif(6)); im.save('avif_grey.avif',quality=90) 
im.convert('L').save('avif_l.avif',quality=90)
Image.fromarray(ra).save('avif_a.avif',quality=90)
im.save('avif_irot.avif',quality=90,rotation=0) 
# GIF
q=im.quantize(16)
q.save('gif_a.gif'); q.save('gif_t.gif',transparency=3); q.save('gif_tbg.gif',transparency=3,background=5); q.save('gif_i.gif',interlace=1,transparency=2,background=2)
im.convert('L').save('gif_l.gif'); im.convert('1').save('gif_1.gif')
fr=[Image.fromarray(np.roll(rgb,i*9,1)).quantize(16) for i in range(3)]; fr[0].save('gif_an.gif',save_all=True,append_images=fr[1:],disposal=2,transparency=1)
def gif(tables=(1,0),bg=0,rect=(0,0,8,6),canvas=(8,6),trans=None,npal=4,inter=0,pix=None,ver=b'89a'):
    pal=bytes(rng.integers(0,256,npal*3).tolist()); pal2=bytes(rng.integers(0,256,npal*3).tolist()); sz=npal.bit_length()-2
    d=b'GIF'+ver+struct.pack('<HHBBB',*canvas,(0x80|sz) if tables[0] else 0,bg,0)+(pal if tables[0] else b'')
    if trans is not None: d+=b'\x21\xf9\x04'+bytes([1,0,0,trans,0])
    d+=b'\x2c'+struct.pack('<HHHHB',*rect,((0x80|sz) if tables[1] else 0)|(0x40 if inter else 0))+(pal2 if tables[1] else b'')
    px=pix if pix is not None else rng.integers(0,npal,rect[2]*rect[3])
    bits=[];mc=max(2,(npal-1).bit_length());cs=mc+1
    def put(v): bits.extend((v>>i)&1 for i in range(cs))
    k=0
    for p in px:
        if k%2==0: put(1<<mc)
        put(int(p)); k+=1
    put((1<<mc)+1)
    while len(bits)%8: bits.append(0)
    by=bytes(sum(bits[i+j]<<j for j in range(8)) for i in range(0,len(bits),8))
    d+=bytes([mc])
    for i in range(0,len(by),255): d+=bytes([len(by[i:i+255])])+by[i:i+255]
    return d+b'\0\x3b'
w('g_plain.gif',gif()); w('g_local.gif',gif((0,1))); w('g_both.gif',gif((1,1),bg=2,trans=1)); w('g_none.gif',gif((0,0))); w('g_bgout.gif',gif((1,0),bg=9,trans=1)); w('g_localbg.gif',gif((0,1),bg=2,trans=1,rect=(2,1,4,3)))
w('g_off.gif',gif(rect=(2,1,4,3),bg=3)); w('g_offl.gif',gif((1,1),rect=(2,1,4,3),bg=3)); w('g_out.gif',gif(rect=(6,1,4,3),bg=3)); w('g_inter.gif',gif(inter=1)); w('g_t0.gif',gif(trans=0,bg=1)); w('g_87.gif',gif(ver=b'87a',rect=(2,1,4,3),bg=1)); w('g_tab.gif',gif(trans=2,bg=2,rect=(2,1,4,3)))
w('g_few.gif',gif(pix=[0,1,2])); w('g_big.gif',gif(npal=256,canvas=(30,30),rect=(0,0,30,30),trans=200,bg=7))
def bmp(bpp,pix,w,h,comp=0,pal=b'',masks=b'',hs=40,clr=0,td=False,extra=b'',off=None):
    body=pix
    if hs==12: hd=struct.pack('<IHHHH',12,w,h,1,bpp)
    else: hd=struct.pack('<IiiHHIIiiII',40 if hs==40 else hs,w,-h if td else h,1,bpp,comp,len(body),2835,2835,clr,0)+ (masks.ljust(hs-40,b'\0') if hs>40 else b'')
    m=masks if hs==40 else b''
    o=14+len(hd)+len(m)+len(pal)+len(extra)
    return b'BM'+struct.pack('<IHHI',o+len(body),0,0,o)+hd+m+pal+extra+body
def rows(arr,bpp,flip=True):
    out=[]
    for r in (arr[::-1] if flip else arr):
        if bpp==1: b=np.packbits(r.astype(np.uint8)).tobytes()
        elif bpp==4:
            r=np.append(r,[0]*(len(r)%2)).astype(np.uint8); b=((r[::2]<<4)|r[1::2]).astype(np.uint8).tobytes()
        elif bpp==8: b=r.astype(np.uint8).tobytes()
        elif bpp==16: b=r.astype('<u2').tobytes()
        elif bpp==24: b=np.ascontiguousarray(r[:,::-1]).astype(np.uint8).tobytes()
        elif bpp==32: b=r.astype('<u4').tobytes()
        out.append(b+b'\0'*(-len(b)%4))
    return b''.join(out)
R=np.random.default_rng(5)
P=lambda n,s=4: R.integers(0,256,n*s).astype(np.uint8).tobytes()
for wd in (1,7,8,13):
    for td in (0,1):
        for bpp in (1,4,8):
            a=R.integers(0,1<<bpp,(5,wd)); w(f'bmp_{bpp}_{wd}_{td}.bmp',bmp(bpp,rows(a,bpp,not td),wd,5,pal=P(1<<bpp),td=td))
        a=R.integers(0,65536,(5,wd)); w(f'bmp_555_{wd}_{td}.bmp',bmp(16,rows(a,16,not td),wd,5,td=td))
        w(f'bmp_565_{wd}_{td}.bmp',bmp(16,rows(a,16,not td),wd,5,comp=3,masks=struct.pack('<III',0xf800,0x7e0,0x1f),td=td))
        c=R.integers(0,256,(5,wd,3)); w(f'bmp_24_{wd}_{td}.bmp',bmp(24,rows(c,24,not td),wd,5,td=td))
        d=R.integers(0,2**32,(5,wd)); w(f'bmp_32_{wd}_{td}.bmp',bmp(32,rows(d,32,not td),wd,5,td=td))
a=R.integers(0,65536,(5,9)); d=R.integers(0,2**32,(5,9))
w('bmp_555bf.bmp',bmp(16,rows(a,16),9,5,comp=3,masks=struct.pack('<III',0x7c00,0x3e0,0x1f)))
w('bmp_444bf.bmp',bmp(16,rows(a,16),9,5,comp=3,masks=struct.pack('<III',0xf00,0xf0,0xf)))
w('bmp_565v4.bmp',bmp(16,rows(a,16),9,5,comp=3,hs=108,masks=struct.pack('<III',0xf800,0x7e0,0x1f)))
w('bmp_565v3.bmp',bmp(16,rows(a,16),9,5,comp=3,hs=56,masks=struct.pack('<IIII',0xf800,0x7e0,0x1f,0)))
for nm,ms in (('bgra',(0xff0000,0xff00,0xff,0xff000000)),('rgba',(0xff,0xff00,0xff0000,0xff000000)),('abgr',(0xff000000,0xff0000,0xff00,0xff)),('x10',(0x3ff00000,0xffc00,0x3ff,0))):
    w(f'bmp_32bf_{nm}.bmp',bmp(32,rows(d,32),9,5,comp=3,masks=struct.pack('<III',*ms[:3]))); w(f'bmp_32v5_{nm}.bmp',bmp(32,rows(d,32),9,5,comp=3,hs=124,masks=struct.pack('<IIII',*ms)))
w('bmp_24v5.bmp',bmp(24,rows(R.integers(0,256,(5,9,3)),24),9,5,hs=124)); w('bmp_8v4.bmp',bmp(8,rows(R.integers(0,256,(5,9)),8),9,5,hs=108,pal=P(256)))
w('bmp_os2v2.bmp',bmp(8,rows(R.integers(0,256,(5,9)),8),9,5,hs=64,pal=P(256)))
for bpp in (1,4,8): w(f'bmp_core{bpp}.bmp',bmp(bpp,rows(R.integers(0,1<<bpp,(5,9)),bpp),9,5,hs=12,pal=P(1<<bpp,3)))
w('bmp_core24.bmp',bmp(24,rows(R.integers(0,256,(5,9,3)),24),9,5,hs=12))
w('bmp_clr10.bmp',bmp(8,rows(R.integers(0,14,(5,9)),8),9,5,clr=10,pal=P(10))); w('bmp_gap.bmp',bmp(8,rows(R.integers(0,14,(5,9)),8),9,5,clr=14,pal=P(14),extra=b'abcdefg'))
w('bmp_clr300.bmp',bmp(8,rows(R.integers(0,14,(5,9)),8),9,5,clr=300,pal=P(300)))
w('bmp_cut.bmp',bmp(24,rows(R.integers(0,256,(5,9,3)),24),9,5)[:-30]); w('bmp_2.bmp',bmp(2,b'\x1b\0\0\0'*5,4,5,pal=P(4)))
p8=P(256);p4=P(16)
def r8(*codes,wd=8,h=4,pal=p8,bpp=8,comp=1,td=False): return bmp(bpp,bytes(sum(codes,[])),wd,h,comp=comp,pal=pal,td=td)
full=[5,7,3,9,0,0, 0,8,1,2,3,4,5,6,7,8,0,0, 8,20,0,0, 0,3,9,8,7,0,5,44,0,0,0,1]
w('rle8_full.bmp',r8(full)); w('rle8_noeob.bmp',r8(full[:-2])); w('rle8_td.bmp',r8(full,td=True)); w('rle8_noeol.bmp',r8([8,1,8,2,8,3,8,4,0,1])); w('rle8_noeol2.bmp',r8([8,1,8,2,8,3,8,4]))
w('rle8_short.bmp',r8([3,5,0,0,2,9,0,0,8,1,0,0,4,4,0,1])); w('rle8_delta.bmp',r8([3,5,0,2,2,1,2,9,0,0,8,1,0,0,0,1])); w('rle8_early.bmp',r8([3,5,0,1])); w('rle8_skipline.bmp',r8([0,0,0,0,8,7,0,0,8,8,0,1])); w('rle8_over.bmp',r8([9,5,0,0,0,1])); w('rle8_cut.bmp',r8([3,5,0,0]))
w('rle8_eolextra.bmp',r8([8,1,0,0,8,2,0,0,8,3,0,0,8,4,0,0,0,1])); w('rle8_delta0.bmp',r8([0,2,0,2,8,7,0,0,8,8,0,0,0,1]))
w('rle4_full.bmp',r8([5,0x7a,3,0x95,0,0, 0,8,0x12,0x34,0x56,0x78,0,0, 8,0x2f,0,0, 0,3,0x98,0x70,5,0x44,0,0,0,1],bpp=4,comp=2,pal=p4))
w('rle4_odd.bmp',r8([0,5,0x12,0x34,0x50,0,3,0x95,0,0, 0,7,0x12,0x34,0x56,0x78,1,0x10,0,0, 8,0x2f,0,0, 8,0x21,0,1],bpp=4,comp=2,pal=p4))
w('rle4_short.bmp',r8([3,0x5a,0,0,2,0x9b,0,0,8,0x1c,0,0,4,0x44,0,1],bpp=4,comp=2,pal=p4)); w('rle4_early.bmp',r8([3,0x5a,0,1],bpp=4,comp=2,pal=p4)); w('rle4_delta.bmp',r8([3,0x5a,0,2,2,1,2,0x9c,0,0,8,0x1d,0,0,8,0x31,0,1],bpp=4,comp=2,pal=p4))

found = {}
for name in sorted(os.listdir('.')):
    try:
        image = cv2.imread(name, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    seen = None
    if image is not None:
        rgb_bytes = np.ascontiguousarray(image[..., ::-1]).tobytes()
        seen = {'height': image.shape[0], 'width': image.shape[1], 'sha256': hashlib.sha256(rgb_bytes).hexdigest()}
    with open(name, 'rb') as file:
        found[name] = {'file': base64.b64encode(file.read()).decode(), 'opencv': seen}
with open(TARGET, 'w') as file:
    json.dump({'reader': f'opencv-python-headless {cv2.__version__}, imread(IMREAD_COLOR), as RGB', 'images': found}, file, indent=0)
