'use strict';
/** The npm package `webgpu` for Jest, which reads packages as CommonJS: its ES module only finds this file. */
const platform = `${process.platform}-${process.platform === 'darwin' ? 'universal' : process.arch}`;
const dawn = require(`../../node_modules/webgpu/dist/${platform}/dawn.node`);

exports.create = dawn.create;
exports.globals = dawn.globals;
