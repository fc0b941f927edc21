import { test } from '@jest/globals';
import { startEngine, describeEngine } from '../src/engine/engine.js';
import * as tf from '../src/engine/tf.js';
import { Gsva } from '../src/model/gsva.js';
import { Random } from '../src/random.js';
import { samStep } from '../src/training/sam-step.js';
import { gsvaStep } from '../src/training/gsva-step.js';
import { trainableVariables } from '../src/training/trainable.js';
import { synthScene, visibleMask } from '../src/data/synth/scene.js';
import { renderScene } from '../src/data/synth/render.js';
import { samTransform } from '../src/data/image-transforms.js';
import { resizeLongestSide } from '../src/data/image-transforms.js';
test('t', async () => {
  console.log(describeEngine(await startEngine({threads: Number(process.env.TH ?? 2)})));
  const cfg:any={clip:{hiddenSize:128,intermediateSize:384,numHiddenLayers:5,numAttentionHeads:4,imageSize:112,patchSize:14,hiddenAct:'quick_gelu',layerNormEps:1e-5,selectLayer:-2},projector:'linear',llm:{vocabSize:604,hiddenSize:160,intermediateSize:448,numHiddenLayers:4,numAttentionHeads:4,maxPositionEmbeddings:512,rmsNormEps:1e-6,ropeTheta:10000},sam:{imageSize:128,patchSize:8,embedDim:96,depth:4,numHeads:4,globalAttnIndexes:[1,3],windowSize:8,promptEmbedDim:64,decoderDepth:2,decoderMlpDim:128,decoderHeads:4,iouHeadHiddenDim:32,maskInChans:16},lora:{r:8,alpha:16,targets:['q_proj','v_proj'],dropout:0},tokens:{seg:600,rej:601,imStart:602,imEnd:603,image:-200,ignore:-100,pad:0,bos:1,eos:2},loss:{ce:1,bce:2,dice:.5}};
  const g=new Gsva(cfg);g.build();g.randomize(new Random(1));
  let t:number=process.cpuUsage().user/1000;const scenes=Array.from({length:24},(_,i)=>synthScene(1,'base',i));const imgs=scenes.map(renderScene);console.log('render 24',(process.cpuUsage().user/1000-t).toFixed(0));
  t=process.cpuUsage().user/1000;const sams=imgs.map(i=>samTransform(i,128));console.log('samT',(process.cpuUsage().user/1000-t).toFixed(0));
  const B=16,K=6;const images=tf.tensor4d(Float32Array.from(sams.slice(0,B).flatMap(s=>[...s.data])),[B,128,128,3]);
  const targets=scenes.slice(0,B).map((s,i)=>({masks:Array.from({length:K},(_,k)=>visibleMask(s,[k%s.objects.length])),rejected:0,resized:[sams[i]!.height,sams[i]!.width] as [number,number],original:[s.height,s.width] as [number,number]}));
  const v=trainableVariables(g,'base-sam');
  const coords=new Float32Array(B*K*4).fill(20),labels=Int32Array.from({length:B*K*2},(_,i)=>i%2?-1:1);
  for(let i=0;i<3;i++){t=process.cpuUsage().user/1000;const r=samStep(g,{images,coordinates:coords,labels,points:2,targets},v);r.gradients.forEach(x=>x.dispose());console.log('sam step',(process.cpuUsage().user/1000-t).toFixed(0),r.losses.loss,tf.memory().numTensors);}
  const prof=await tf.profile(()=>{samStep(g,{images,coordinates:coords,labels,points:2,targets},v).gradients.forEach(x=>x.dispose());});
  const agg=new Map<string,[number,number]>();for(const k of prof.kernels){const ms=await (k as any).kernelTimeMs;const a=agg.get(k.name)??[0,0];a[0]+=Number(ms);a[1]++;agg.set(k.name,a);}
  console.log([...agg].sort((a,b)=>b[1][0]-a[1][0]).slice(0,25).map(([n,[ms,c]])=>`${n} ${ms.toFixed(0)}ms ${c}`).join('\n'));
  // gsva
  const Bg=24,Kg=6,T=140;const rnd=new Random(3);const ids=new Int32Array(Bg*T),labelsg=new Int32Array(Bg*T).fill(-100);
  for(let b=0;b<Bg;b++){for(let j=0;j<T;j++)ids[b*T+j]=5+rnd.integer(500);ids[b*T+30]=-200;for(let j=90;j<T;j++)labelsg[b*T+j]=ids[b*T+j]!;for(let k=0;k<Kg;k++){ids[b*T+95+k*7]=600;labelsg[b*T+95+k*7]=600;}}
  const tg=Array.from({length:Bg},(_,i)=>{const s=scenes[i]!;return {masks:Array.from({length:Kg},(_,k)=>visibleMask(s,[k%s.objects.length])),rejected:0,resized:resizeLongestSide(s.height,s.width,128) as [number,number],original:[s.height,s.width] as [number,number]};});
  const feats=tf.randomNormal([Bg,64,128]) as tf.Tensor3D, emb=tf.randomNormal([Bg,16,16,64]) as tf.Tensor4D;
  const vg=trainableVariables(g,'gsva');
  const step=()=>{const r=gsvaStep(g,{tokens:{inputIds:ids,labels:labelsg,lengths:Array(Bg).fill(T),batch:Bg,time:T},clipFeatures:feats,imageEmbeddings:emb,targets:tg},vg);r.gradients.forEach(x=>x.dispose());return r.losses;};
  for(let i=0;i<3;i++){t=process.cpuUsage().user/1000;const l=step();console.log('gsva step',(process.cpuUsage().user/1000-t).toFixed(0),l.loss,tf.memory().numTensors,tf.memory().numBytes/1e6);}
  const prof2=await tf.profile(()=>{step();});
  const agg2=new Map<string,[number,number]>();for(const k of prof2.kernels){const ms=await (k as any).kernelTimeMs;const a=agg2.get(k.name)??[0,0];a[0]+=Number(ms);a[1]++;agg2.set(k.name,a);}
  console.log([...agg2].sort((a,b)=>b[1][0]-a[1][0]).slice(0,25).map(([n,[ms,c]])=>`${n} ${ms.toFixed(0)}ms ${c}`).join('\n'));
},600000);
